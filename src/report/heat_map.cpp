#include "report/heat_map.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "report/axis.h"

namespace addend {
namespace {

constexpr double kLabelWidth = 92, kRight = 8, kCellHeight = 22, kGap = 1.5;
constexpr double kGridWidth = 640;  // shared by all columns
constexpr double kBottom = 38;
constexpr size_t kMostColumnLabels = 12;
constexpr double kLightest = 0.08;  // opacity of the smallest value, which is not nothing
constexpr int kLegendSteps = 8;

std::string Opacity(double part) {
  return Format("%.3f", kLightest + (1 - kLightest) * part);
}

Markup Label(const char* kind, double x, double y, const std::string& text) {
  return Element("text", {{"class", kind}, {"x", Format("%.1f", x)}, {"y", Format("%.1f", y)}}, Text(text));
}

Markup Rectangle(double x, double y, double width, double height, const std::string& opacity,
                 const Markup& content) {
  return Element("rect",
                 {{"class", "cell"},
                  {"x", Format("%.2f", x)},
                  {"y", Format("%.2f", y)},
                  {"width", Format("%.2f", width)},
                  {"height", Format("%.2f", height)},
                  {"fill-opacity", opacity}},
                 content);
}

class Drawing {
 public:
  Drawing(const HeatMap& map, Extent values)
      : map_(map),
        shades_(values, map.logarithmic, {0, 1}),
        cell_width_(kGridWidth / static_cast<double>(map.columns.size())),
        bottom_(kCellHeight * static_cast<double>(map.rows.size())) {}

  Markup Picture() const {
    const double width = kLabelWidth + kGridWidth + kRight;
    return Element("svg",
                   {{"viewBox", Format("0 0 %g %g", width, bottom_ + kBottom)},
                    {"role", "img"},
                    {"aria-label", map_.description}},
                   Cells() + ColumnLabels() + Legend());
  }

 private:
  Markup Cells() const {
    Markup cells;
    for (size_t r = 0; r < map_.rows.size(); ++r) {
      const double y = kCellHeight * static_cast<double>(r);
      cells += Label("tick end", kLabelWidth - 8, y + kCellHeight / 2 + 4, map_.rows[r]);
      for (size_t c = 0; c < map_.columns.size(); ++c) cells += Cell(r, c, y);
    }
    return cells;
  }

  Markup Cell(size_t r, size_t c, double y) const {
    const std::optional<double> value = map_.values[r * map_.columns.size() + c];
    if (!value) return {};
    const std::string story = map_.column_name + " " + map_.columns[c] + ", " + map_.rows[r] + ": " +
                              map_.value_name + " " + NumberText(*value, 4);
    return Rectangle(Left(c), y, cell_width_ - kGap, kCellHeight - kGap, Opacity(shades_.Pixel(*value)),
                     Element("title", {}, Text(story)));
  }

  double Left(size_t c) const { return kLabelWidth + cell_width_ * static_cast<double>(c); }

  Markup ColumnLabels() const {
    const size_t stride = (map_.columns.size() + kMostColumnLabels - 1) / kMostColumnLabels;
    Markup labels;
    for (size_t c = 0; c < map_.columns.size(); c += stride) {
      labels += Label("tick middle", Left(c) + (cell_width_ - kGap) / 2, bottom_ + 14, map_.columns[c]);
    }
    return labels + Label("axis", kLabelWidth, bottom_ + 33, map_.column_name);
  }

  // From the smallest to the largest, at the right.
  Markup Legend() const {
    constexpr double kStep = 14, kWidth = kStep * kLegendSteps, kTextWidth = 52;
    const double right = kLabelWidth + kGridWidth, left = right - kTextWidth - kWidth, y = bottom_ + 23;
    Markup legend =
        Label("tick end", left - 6, y + 10, map_.value_name + "  " + NumberText(shades_.values().from));
    for (int i = 0; i < kLegendSteps; ++i) {
      legend += Rectangle(left + kStep * i, y, kStep, 12, Opacity(i / (kLegendSteps - 1.0)), {});
    }
    return legend + Label("tick", left + kWidth + 6, y + 10, NumberText(shades_.values().to));
  }

  const HeatMap& map_;
  Axis shades_;
  double cell_width_, bottom_;
};

}  // namespace

Markup Draw(const HeatMap& map) {
  HeatMap drawable = map;
  Extent covered{INFINITY, -INFINITY};
  for (std::optional<double>& value : drawable.values) {
    if (value && (!std::isfinite(*value) || (map.logarithmic && *value <= 0))) value.reset();
    if (!value) continue;
    covered = {std::min(covered.from, *value), std::max(covered.to, *value)};
  }
  if (covered.from > covered.to) return {};
  return Element("figure", {{"class", "heat"}}, Drawing(drawable, covered).Picture());
}

}  // namespace addend
