// What of a chart can be drawn, and how far its axes reach: shared by its forms.
#pragma once
#include <vector>

#include "report/axis.h"
#include "report/xy_chart.h"

namespace addend {

// Without points that are not finite, or not positive on a logarithmic axis, and series without any. Empty
// when there is nothing but guides.
std::vector<ChartSeries> DrawableSeries(const XyChart& chart);

// What the marks and curves of these series (which are not only guides) cover, and a little around it.
Extent Covered(const std::vector<ChartSeries>& series, double ChartPoint::*coordinate, bool logarithmic);

}  // namespace addend
