#include "report/table.h"

namespace addend {
namespace {

std::string AlignmentOf(const Column& column) {
  return column.numeric ? "number" : "words";
}

Markup Head(const Table& table) {
  Markup cells;
  for (const Column& column : table.columns) {
    cells += Element("th", {{"scope", "col"}, {"class", AlignmentOf(column)}}, Text(column.heading));
  }
  return Element("thead", {}, Element("tr", {}, cells));
}

Markup Row(const Table& table, const std::vector<std::string>& row) {
  Markup cells = Element("th", {{"scope", "row"}}, Text(row.front()));
  for (size_t c = 1; c < row.size(); ++c) {
    cells += Element("td", {{"class", AlignmentOf(table.columns[c])}}, Text(row[c]));
  }
  return Element("tr", {}, cells);
}

}  // namespace

Markup Draw(const Table& table) {
  Markup rows;
  for (const std::vector<std::string>& row : table.rows) rows += Row(table, row);
  const Markup caption = Element("caption", {{"class", "unseen"}}, Text(table.caption));
  return Scrolling(table.caption, Element("table", {}, caption + Head(table) + Element("tbody", {}, rows)));
}

Markup Scrolling(const std::string& name, const Markup& content) {
  return Element("div", {{"class", "scrolling"}, {"role", "region"}, {"tabindex", "0"}, {"aria-label", name}},
                 content);
}

Markup DrawPairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Markup list;
  for (const auto& [name, value] : pairs) {
    list += Element("div", {}, Element("dt", {}, Text(name)) + Element("dd", {}, Text(value)));
  }
  return Element("dl", {{"class", "pairs"}}, list);
}

}  // namespace addend
