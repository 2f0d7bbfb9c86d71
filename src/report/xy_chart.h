// Points and lines over two axes, as SVG: scatter plots and curves.
#pragma once
#include <string>
#include <vector>

#include "report/markup.h"

namespace addend {

struct ChartPoint {
  double x = 0, y = 0;
  std::string hover;    // the whole story, shown when the pointer rests on the mark
  std::string caption;  // a letter or so, written beside it; may be empty
};

enum class SeriesStyle {
  kMarks,  // each series with a colour and a shape of its own
  kCurve,  // marks joined by a line
  kGuide,  // a dashed neutral line without marks: what the others are compared with
};

struct ChartSeries {
  std::string name;  // in the legend
  SeriesStyle style = SeriesStyle::kMarks;
  std::vector<ChartPoint> points;
};

struct AxisLabel {
  std::string title;
  bool logarithmic = false;
};

struct XyChart {
  std::string description;  // for readers who do not see it; the numbers belong into a table beside it
  AxisLabel x, y;
  std::vector<ChartSeries> series;
};

// A figure with its legend. The axes cover marks and curves; of a guide is drawn what lies within. Points
// that are not finite, or not positive on a logarithmic axis, are left out; empty when none remains.
Markup Draw(const XyChart& chart);

}  // namespace addend
