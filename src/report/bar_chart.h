// Amounts side by side. A table with a bar in each row: it needs no second form for those who do not see it.
#pragma once
#include <string>
#include <vector>

#include "report/markup.h"

namespace addend {

struct Bar {
  std::string name;
  double amount = 0;  // not negative
  std::string text;   // the amount as people read it
};

struct BarChart {
  std::string caption;       // of the table
  std::string name_heading;  // of its columns
  std::string amount_heading;
  std::vector<Bar> bars;
};

// Lengths are relative to the longest, percentages to the sum. Empty without a positive amount.
Markup Draw(const BarChart& chart);

}  // namespace addend
