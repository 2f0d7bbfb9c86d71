#include "report/xy_chart.h"

#include <array>

#include "base/format.h"
#include "report/axis.h"
#include "report/chart_points.h"

namespace addend {
namespace {

// In units of the picture, which the page scales to its width.
constexpr double kWidth = 460, kHeight = 320;
constexpr double kLeft = 58, kRight = 14, kTop = 12, kBottom = 46;
constexpr double kTickLength = 4, kTickGap = 8;
constexpr size_t kMostTicks = 7;

// A shape for each series, as well as a colour (page.css), around (0, 0).
constexpr std::array<std::string_view, 7> kShapes = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-3.5 -3.5h7v7h-7z",
    "M0 -4.8L4.5 3.4H-4.5z",
    "M0 -5L5 0L0 5L-5 0z",
    "M0 4.8L4.5 -3.4H-4.5z",
    "M-1.6 -5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
    "M-5 -2L0 -5L5 -2L3 4.5H-3z",
};

std::string ColourClass(size_t index) {
  return Format("s%zu", index % kShapes.size());
}

Markup Line(const std::string& kind, double x1, double y1, double x2, double y2) {
  return Element("path", {{"class", kind}, {"d", Format("M%.1f %.1fL%.1f %.1f", x1, y1, x2, y2)}});
}

Markup Label(const std::string& kind, double x, double y, const std::string& text) {
  return Element("text", {{"class", kind}, {"x", Format("%.1f", x)}, {"y", Format("%.1f", y)}}, Text(text));
}

class Drawing {
 public:
  Drawing(const XyChart& chart, std::vector<ChartSeries> series)
      : chart_(chart),
        series_(std::move(series)),
        x_(Covered(series_, &ChartPoint::x, chart.x.logarithmic), chart.x.logarithmic,
           {kLeft, kWidth - kRight}),
        y_(Covered(series_, &ChartPoint::y, chart.y.logarithmic), chart.y.logarithmic,
           {kHeight - kBottom, kTop}) {}

  Markup Picture() const {
    Markup content = Grid() + Titles();
    ForSeries([&](const ChartSeries& series, const std::string& colour, size_t shape) {
      if (series.style != SeriesStyle::kMarks) content += Polyline(series, colour);
      if (series.style != SeriesStyle::kGuide) content += Marks(series, colour, shape);
    });
    return Element("svg",
                   {{"viewBox", Format("0 0 %g %g", kWidth, kHeight)},
                    {"role", "img"},
                    {"aria-label", chart_.description}},
                   content);
  }

  Markup Legend() const {
    if (series_.size() < 2) return {};
    Markup items;
    ForSeries([&](const ChartSeries& series, const std::string& colour, size_t shape) {
      const Markup key =
          series.style == SeriesStyle::kGuide
              ? Line("guide", -9, 0, 9, 0)
              : Element("path", {{"class", "mark " + colour}, {"d", std::string(kShapes[shape])}});
      items += Element(
          "li", {},
          Element("svg", {{"viewBox", "-9 -7 18 14"}, {"aria-hidden", "true"}}, key) + Text(series.name));
    });
    return Element("ul", {{"class", "legend"}}, items);
  }

 private:
  // Guides take no colour from the others.
  template <typename Work>
  void ForSeries(Work&& work) const {
    size_t coloured = 0;
    for (const ChartSeries& series : series_) {
      work(series, series.style == SeriesStyle::kGuide ? "guide" : ColourClass(coloured),
           coloured % kShapes.size());
      if (series.style != SeriesStyle::kGuide) ++coloured;
    }
  }

  Markup Grid() const {
    Markup grid;
    const double bottom = kHeight - kBottom;
    for (const Tick& tick : x_.Ticks(kMostTicks)) {
      const double x = x_.Pixel(tick.value);
      grid += Line("grid", x, kTop, x, bottom + kTickLength);
      grid += Label("tick middle", x, bottom + kTickLength + 13, tick.label);
    }
    for (const Tick& tick : y_.Ticks(kMostTicks)) {
      const double y = y_.Pixel(tick.value);
      grid += Line("grid", kLeft - kTickLength, y, kWidth - kRight, y);
      grid += Label("tick end", kLeft - kTickGap, y + 4, tick.label);
    }
    return grid;
  }

  Markup Titles() const {
    const double middle = (kTop + kHeight - kBottom) / 2;
    const Markup y_title = Element(
        "text", {{"class", "axis middle"}, {"transform", Format("translate(13 %.1f) rotate(-90)", middle)}},
        Text(chart_.y.title));
    return Label("axis middle", (kLeft + kWidth - kRight) / 2, kHeight - 6, chart_.x.title) + y_title;
  }

  bool Inside(const ChartPoint& point) const {
    return point.x >= x_.values().from && point.x <= x_.values().to && point.y >= y_.values().from &&
           point.y <= y_.values().to;
  }

  Markup Polyline(const ChartSeries& series, const std::string& colour) const {
    std::string path;
    for (const ChartPoint& point : series.points) {
      if (!Inside(point)) continue;
      path += Format("%c%.1f %.1f", path.empty() ? 'M' : 'L', x_.Pixel(point.x), y_.Pixel(point.y));
    }
    return Element("path", {{"class", "line " + colour}, {"d", path}});
  }

  Markup Marks(const ChartSeries& series, const std::string& colour, size_t shape) const {
    Markup marks;
    for (const ChartPoint& point : series.points) {
      const double x = x_.Pixel(point.x), y = y_.Pixel(point.y);
      marks += Element("path",
                       {{"class", "mark " + colour},
                        {"transform", Format("translate(%.1f %.1f)", x, y)},
                        {"d", std::string(kShapes[shape])}},
                       Element("title", {}, Text(point.hover)));
      if (!point.caption.empty()) marks += Label("caption", x + 7, y - 6, point.caption);
    }
    return marks;
  }

  const XyChart& chart_;
  std::vector<ChartSeries> series_;
  Axis x_, y_;
};

}  // namespace

Markup Draw(const XyChart& chart) {
  std::vector<ChartSeries> series = DrawableSeries(chart);
  if (series.empty()) return {};
  const Drawing drawing(chart, std::move(series));
  return Element("figure", {{"class", "chart"}}, drawing.Picture() + drawing.Legend());
}

}  // namespace addend
