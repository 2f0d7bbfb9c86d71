// The page of several models side by side: quality against size.
#pragma once
#include <string>

#include "base/json.h"
#include "report/xy_chart.h"

namespace addend {

// `comparison` is what `addend compare --json` prints.
std::string ComparisonPage(const Json& comparison);

// Quality over size, each file under its label. Without series where the numbers cannot be compared.
XyChart ComparisonChart(const Json& comparison);

}  // namespace addend
