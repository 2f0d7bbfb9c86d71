#include "report/bar_chart.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace addend {
namespace {

Markup Row(const Bar& bar, double longest, double sum) {
  const Markup rectangle = Element(
      "rect",
      {{"class", "bar"}, {"width", Format("%.2f%%", 100 * bar.amount / longest)}, {"height", "100%"}});
  return Element(
      "tr", {},
      Element("th", {{"scope", "row"}}, Text(bar.name)) +
          Element("td", {{"class", "number"}}, Text(bar.text)) +
          Element("td", {{"class", "number"}}, Text(Format("%.1f %%", 100 * bar.amount / sum))) +
          Element("td", {{"class", "bars"}, {"aria-hidden", "true"}}, Element("svg", {}, rectangle)));
}

}  // namespace

Markup Draw(const BarChart& chart) {
  double longest = 0, sum = 0;
  for (const Bar& bar : chart.bars) {
    longest = std::max(longest, bar.amount);
    sum += bar.amount;
  }
  if (!(sum > 0) || !std::isfinite(sum)) return {};
  const auto heading = [](const std::string& text) { return Element("th", {{"scope", "col"}}, Text(text)); };
  Markup rows;
  for (const Bar& bar : chart.bars) rows += Row(bar, longest, sum);
  const Markup head = heading(chart.name_heading) + heading(chart.amount_heading) + heading("share") +
                      Element("td", {{"aria-hidden", "true"}});
  return Element("table", {{"class", "amounts"}},
                 Element("caption", {{"class", "unseen"}}, Text(chart.caption)) +
                     Element("thead", {}, Element("tr", {}, head)) + Element("tbody", {}, rows));
}

}  // namespace addend
