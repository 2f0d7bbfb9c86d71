#include "report/chart_points.h"

#include <algorithm>
#include <cmath>

namespace addend {
namespace {

bool IsGuide(const ChartSeries& series) {
  return series.style == SeriesStyle::kGuide;
}

bool Shows(const AxisLabel& axis, double value) {
  return std::isfinite(value) && (!axis.logarithmic || value > 0);
}

}  // namespace

std::vector<ChartSeries> DrawableSeries(const XyChart& chart) {
  std::vector<ChartSeries> series = chart.series;
  for (ChartSeries& one : series) {
    std::erase_if(one.points,
                  [&](const ChartPoint& p) { return !Shows(chart.x, p.x) || !Shows(chart.y, p.y); });
  }
  std::erase_if(series, [](const ChartSeries& one) { return one.points.empty(); });
  if (std::ranges::all_of(series, IsGuide)) series.clear();
  return series;
}

Extent Covered(const std::vector<ChartSeries>& series, double ChartPoint::*coordinate, bool logarithmic) {
  double least = INFINITY, most = -INFINITY;
  for (const ChartSeries& one : series) {
    if (IsGuide(one)) continue;
    for (const ChartPoint& point : one.points) {
      least = std::min(least, point.*coordinate);
      most = std::max(most, point.*coordinate);
    }
  }
  constexpr double kMargin = 0.04;
  if (logarithmic) {
    const double factor = std::pow(most / least, kMargin);
    return {least / factor, most * factor};
  }
  const double margin = kMargin * (most - least);
  return {least >= 0 ? std::max(0.0, least - margin) : least - margin, most + margin};
}

}  // namespace addend
