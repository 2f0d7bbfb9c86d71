#include "report/comparison_page.h"

#include <algorithm>

#include "base/format.h"
#include "base/progress.h"
#include "report/axis.h"
#include "report/json_values.h"
#include "report/page.h"
#include "report/table.h"
#include "report/xy_chart.h"

namespace addend {
namespace {

std::string Short(std::optional<double> value, int digits) {
  return value ? NumberText(*value, digits) : "";
}

Markup FilesBody(const Json& comparison) {
  Table table = {.caption = "Models",
                 .columns = {{"", false},
                             {"file", false},
                             {"size"},
                             {"bits, file"},
                             {"bits, layers"},
                             {"perplexity"},
                             {"KL"},
                             {"same top"},
                             {"front", false},
                             {"model", false}},
                 .rows = {}};
  for (const Json& file : comparison.at("files")) {
    const std::string name = file.at("name"), architecture = file.at("architecture");
    const auto same_top = NumberAt(file, {"quality", "top1_agreement"});
    table.rows.push_back({file.at("label"), file.at("file"), SizeText(file.at("bytes")),
                          Format("%.3f", file.at("file_bits_per_weight").get<double>()),
                          Format("%.3f", file.at("linear_bits_per_weight").get<double>()),
                          Short(NumberAt(file, {"quality", "perplexity"}), 5),
                          Short(NumberAt(file, {"quality", "kl_divergence"}), 4),
                          same_top ? Format("%.1f %%", 100 * *same_top) : "",
                          file.at("front").get<bool>() ? "yes" : "", name.empty() ? architecture : name});
  }
  Markup body = Draw(table);
  for (const Json& note : comparison.at("notes")) body += Paragraph(note);
  return body;
}

}  // namespace

// Files on the front are joined by size, the others are marks.
XyChart ComparisonChart(const Json& comparison) {
  const Json& measure = comparison.at("measure");
  if (measure.is_null()) return {};
  const bool divergence = measure == "kl_divergence";
  const std::string title = divergence ? "KL divergence, nats a token" : "perplexity";
  ChartSeries front{.name = "on the front: none is both smaller and better", .style = SeriesStyle::kCurve};
  ChartSeries others{.name = "others"};
  for (const Json& file : comparison.at("files")) {
    const auto value = NumberAt(file, {"quality", divergence ? "kl_divergence" : "perplexity"});
    if (!value) continue;
    const double megabytes = file.at("bytes").get<double>() / 1e6;
    const std::string path = file.at("file");
    ChartSeries& series = file.at("front").get<bool>() ? front : others;
    series.points.push_back({megabytes, *value,
                             path + ": " + SizeText(file.at("bytes")) + ", " + NumberText(*value, 5),
                             file.at("label")});
  }
  // The original itself has a divergence of 0, which a logarithmic axis could not show.
  const auto positive = [](const ChartPoint& point) { return point.y > 0; };
  const bool logarithmic =
      std::ranges::all_of(front.points, positive) && std::ranges::all_of(others.points, positive);
  std::ranges::sort(front.points, {}, &ChartPoint::x);
  return {.description = "Scatter plot: " + title + " over file size. The table has the numbers.",
          .x = {"file size, MB"},
          .y = {title, logarithmic},
          .series = {front, others}};
}

std::string ComparisonPage(const Json& comparison) {
  return Render({.title = std::to_string(comparison.at("files").size()) + " models compared",
                 .subtitle = "Quality against file size",
                 .numbers = {},
                 .sections = {{"Quality against size", Draw(ComparisonChart(comparison))},
                              {"Models", FilesBody(comparison)}}});
}

}  // namespace addend
