// A scatter plot in characters, for terminals.
#pragma once
#include <string>

#include "report/xy_chart.h"

namespace addend {

// Lines of at most some 70 characters, each with a newline. A point is the first character of its caption;
// where there is one already, it stands to the right of it. Guides and lines are left out. Empty when there
// is nothing to draw.
std::string DrawAsText(const XyChart& chart);

}  // namespace addend
