// Tables of texts.
#pragma once
#include <string>
#include <vector>

#include "report/markup.h"

namespace addend {

struct Column {
  std::string heading;
  bool numeric = true;  // aligned to the right
};

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // a text for each column; the first names the row
};

// A table that scrolls sideways by itself where the page is too narrow for it.
Markup Draw(const Table& table);

// `content`, made narrower than it wants to be, scrolls within the page: also by keyboard, which is why it
// has a name.
Markup Scrolling(const std::string& name, const Markup& content);

// Names and values in two columns.
Markup DrawPairs(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace addend
