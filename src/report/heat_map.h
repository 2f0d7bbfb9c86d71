// A grid of values as shades, as SVG.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "report/markup.h"

namespace addend {

struct HeatMap {
  std::string description;  // for readers who do not see it; the numbers belong into a table beside it
  std::string value_name;   // of what the shades stand for
  std::string column_name;  // of what the columns are, below them
  std::vector<std::string> rows, columns;
  std::vector<std::optional<double>> values;  // row by row; absent: an empty cell
  bool logarithmic = false;                   // shades; not positive values are then absent
};

// A figure: the darker, the more; resting the pointer on a cell shows its number. Empty when no value is
// there. `values` must have rows x columns.
Markup Draw(const HeatMap& map);

}  // namespace addend
