#include "report/text_chart.h"

#include <cmath>
#include <vector>

#include "base/format.h"
#include "report/chart_points.h"

namespace addend {
namespace {

constexpr size_t kColumns = 56, kRows = 14;
constexpr int kLabelWidth = 8;
constexpr size_t kMostTicks = 5;

size_t Place(const Axis& axis, double value) {
  return static_cast<size_t>(std::lround(axis.Pixel(value)));
}

void Put(const ChartPoint& point, const Axis& x, const Axis& y, std::vector<std::string>& rows) {
  std::string& row = rows[Place(y, point.y)];
  const size_t column = row.find(' ', Place(x, point.x));
  if (column != std::string::npos && !point.caption.empty()) row[column] = point.caption.front();
}

// The line under the picture, and the numbers under it.
std::string Foot(const Axis& x) {
  std::string line(kColumns, '-'), numbers(kColumns + kLabelWidth, ' ');
  size_t free = 0;  // where the next number may begin
  for (const Tick& tick : x.Ticks(kMostTicks)) {
    const size_t column = Place(x, tick.value);
    line[column] = '+';
    const size_t half = tick.label.size() / 2;
    const size_t begin = column > half ? column - half : 0;
    if (begin < free || begin + tick.label.size() > numbers.size()) continue;
    numbers.replace(begin, tick.label.size(), tick.label);
    free = begin + tick.label.size() + 1;
  }
  const std::string indent(kLabelWidth + 1, ' ');
  numbers.erase(numbers.find_last_not_of(' ') + 1);
  return indent + "+" + line + "\n" + indent + " " + numbers + "\n";
}

}  // namespace

std::string DrawAsText(const XyChart& chart) {
  const std::vector<ChartSeries> series = DrawableSeries(chart);
  if (series.empty()) return "";
  const Axis x(Covered(series, &ChartPoint::x, chart.x.logarithmic), chart.x.logarithmic,
               {0, kColumns - 1.0});
  const Axis y(Covered(series, &ChartPoint::y, chart.y.logarithmic), chart.y.logarithmic, {kRows - 1.0, 0});
  std::vector<std::string> rows(kRows, std::string(kColumns, ' ')), labels(kRows);
  for (const ChartSeries& one : series) {
    if (one.style == SeriesStyle::kGuide) continue;
    for (const ChartPoint& point : one.points) Put(point, x, y, rows);
  }
  for (const Tick& tick : y.Ticks(kMostTicks)) labels[Place(y, tick.value)] = tick.label;

  std::string text = "  " + chart.y.title + "\n";
  for (size_t r = 0; r < kRows; ++r) {
    rows[r].erase(rows[r].find_last_not_of(' ') + 1);
    text +=
        Format("%*s %c%s\n", kLabelWidth, labels[r].c_str(), labels[r].empty() ? '|' : '+', rows[r].c_str());
  }
  return text + Foot(x) + std::string(kLabelWidth + 2, ' ') + chart.x.title + "\n";
}

}  // namespace addend
