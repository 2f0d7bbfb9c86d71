#include "report/model_page.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/format.h"
#include "base/progress.h"
#include "report/axis.h"
#include "report/bar_chart.h"
#include "report/heat_map.h"
#include "report/json_values.h"
#include "report/page.h"
#include "report/table.h"
#include "report/xy_chart.h"

namespace addend {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string Short(std::optional<double> value, int digits = 4) {
  return value ? NumberText(*value, digits) : "";
}

std::string Fixed(std::optional<double> value) {
  return value ? Format("%.3f", *value) : "";
}

std::string Percent(std::optional<double> part) {
  return part ? Format("%.1f %%", 100 * *part) : "";
}

// One linear layer of a block.
struct Layer {
  std::string name, kind, type;
  size_t block = 0, rank = 0;
  std::string shape;
  double bits = 0;
  std::optional<double> weighted_error, output_error;
};

std::vector<Layer> LayersOf(const Json& inspection) {
  std::vector<Layer> layers;
  for (const Json& layer : inspection.at("layers")) {
    const size_t outputs = layer.at("outputs"), inputs = layer.at("inputs");
    layers.push_back({.name = layer.at("name"),
                      .kind = layer.at("kind"),
                      .type = layer.at("type"),
                      .block = layer.at("block"),
                      .rank = layer.at("rank"),
                      .shape = Format("%zu x %zu", outputs, inputs),
                      .bits = layer.at("bits_per_weight"),
                      .weighted_error = NumberAt(layer, {"weighted_error"}),
                      .output_error = NumberAt(layer, {"output_error"})});
  }
  return layers;
}

bool HaveErrors(const std::vector<Layer>& layers) {
  return std::ranges::any_of(layers, [](const Layer& layer) { return layer.weighted_error.has_value(); });
}

std::vector<std::string> KindsOf(const std::vector<Layer>& layers) {
  std::vector<std::string> kinds;
  for (const Layer& layer : layers) {
    if (std::ranges::count(kinds, layer.kind) == 0) kinds.push_back(layer.kind);
  }
  return kinds;
}

std::vector<KeyNumber> KeyNumbers(const Json& inspection) {
  const Json& size = inspection.at("size");
  std::vector<KeyNumber> numbers = {
      {SizeText(size.at("bytes")), "file", Format("%.1f M weights", size.at("weights").get<double>() / 1e6)},
      {Fixed(NumberAt(size, {"file_bits_per_weight"})), "bits a weight, whole file", "embeddings included"},
      {Fixed(NumberAt(size, {"linear_bits_per_weight"})), "bits a weight, linear layers", "scales included"}};
  const Json& test = At(inspection, {"recipe", "test"});
  if (const auto perplexity = NumberAt(test, {"perplexity"})) {
    const std::string original = Short(NumberAt(test, {"dense_perplexity"}));
    numbers.push_back(
        {Short(perplexity), "perplexity", original.empty() ? "" : "the original has " + original});
  }
  if (const auto divergence = NumberAt(test, {"kl_divergence"})) {
    numbers.push_back({Short(divergence, 3), "KL divergence", "nats a token, from the original"});
  }
  if (const auto agreement = NumberAt(test, {"top1_agreement"})) {
    numbers.push_back({Percent(agreement), "same top token", "as the original"});
  }
  return numbers;
}

Markup QualityBody(const Json& recipe) {
  const Json& test = At(recipe, {"test"});
  if (!NumberAt(test, {"perplexity"})) return {};
  const std::string protocol = TextAt(test, {"protocol"}), window = Short(NumberAt(test, {"window"}));
  const Table table = {
      .caption = "Quality",
      .columns = {{"", false}, {"perplexity"}, {"KL divergence"}, {"same top token"}},
      .rows = {{"this model", Short(NumberAt(test, {"perplexity"}), 5),
                Short(NumberAt(test, {"kl_divergence"})), Percent(NumberAt(test, {"top1_agreement"}))},
               {"original", Short(NumberAt(test, {"dense_perplexity"}), 5), "", ""}}};
  std::string how = "Measured when the file was made, on " + Short(NumberAt(test, {"tokens"})) +
                    " tokens of its calibration text that nothing was fitted to";
  if (!protocol.empty()) how += ", by the protocol " + protocol;
  if (!window.empty()) how += " in windows of " + window;
  return Paragraph(how + ". Perplexities of other texts or protocols cannot be compared with these.") +
         Draw(table);
}

HeatMap MapOf(const std::vector<Layer>& layers, size_t blocks) {
  HeatMap map;
  map.column_name = "block";
  map.rows = KindsOf(layers);
  for (size_t b = 0; b < blocks; ++b) map.columns.push_back(std::to_string(b));
  map.values.resize(map.rows.size() * blocks);
  return map;
}

// `value` of each layer, by kind and block. Nothing where they are all alike: the table says it shorter.
template <typename ValueOf>
Markup LayerMap(const std::vector<Layer>& layers, size_t blocks, const std::string& value_name,
                bool logarithmic, ValueOf&& value_of) {
  HeatMap map = MapOf(layers, blocks);
  map.value_name = value_name;
  map.logarithmic = logarithmic;
  map.description =
      "Heat map: " + value_name + " of each linear layer. The table of every layer has the numbers.";
  bool differ = false;
  for (const Layer& layer : layers) {
    const std::optional<double> value = value_of(layer);
    differ = differ || value != value_of(layers.front());
    const auto kind = static_cast<size_t>(std::ranges::find(map.rows, layer.kind) - map.rows.begin());
    map.values[kind * blocks + layer.block] = value;
  }
  if (!differ) return {};
  return Element("h3", {}, Text("By layer: " + value_name)) + Scrolling("Heat map: " + value_name, Draw(map));
}

std::string RankRange(const Json& group) {
  const size_t least = group.at("least_rank"), most = group.at("most_rank");
  if (most == 0) return "";
  return least == most ? std::to_string(most) : std::to_string(least) + " to " + std::to_string(most);
}

// The mean error of a kind, all of whose layers have one size.
std::string MeanError(const std::vector<Layer>& layers, const std::string& kind,
                      std::optional<double> Layer::*error) {
  double sum = 0, count = 0;
  for (const Layer& layer : layers) {
    if (layer.kind != kind || !(layer.*error)) continue;
    sum += *(layer.*error);
    ++count;
  }
  return count == 0 ? "" : NumberText(sum / count);
}

std::vector<std::string> MatrixRow(const std::string& name, const Json& matrix) {
  if (matrix.is_null()) return {name, "", "", "tied to the embedding", "", ""};
  const size_t rank = matrix.at("rank");
  return {name,
          "1",
          Format("%zu x %zu", matrix.at("rows").get<size_t>(), matrix.at("columns").get<size_t>()),
          matrix.at("type"),
          rank == 0 ? "" : std::to_string(rank),
          Fixed(NumberAt(matrix, {"bits_per_weight"}))};
}

Markup KindTable(const Json& inspection, const std::vector<Layer>& layers) {
  Table table = {
      .caption = "Weights by kind",
      .columns = {{"kind", false}, {"count"}, {"shape"}, {"type", false}, {"rank"}, {"bits a weight"}},
      .rows = {}};
  for (const Json& group : inspection.at("linears")) {
    table.rows.push_back(
        {group.at("name"), std::to_string(group.at("count").get<size_t>()),
         Format("%zu x %zu", group.at("outputs").get<size_t>(), group.at("inputs").get<size_t>()),
         group.at("type"), RankRange(group), Fixed(NumberAt(group, {"bits_per_weight"}))});
  }
  table.rows.push_back(MatrixRow("embedding", inspection.at("embedding")));
  table.rows.push_back(MatrixRow("head", inspection.at("head")));
  if (HaveErrors(layers)) {
    table.columns.insert(table.columns.end(), {{"weighted error"}, {"output error"}});
    for (std::vector<std::string>& row : table.rows) {
      row.push_back(MeanError(layers, row.front(), &Layer::weighted_error));
      row.push_back(MeanError(layers, row.front(), &Layer::output_error));
    }
  }
  return Draw(table);
}

Markup LayerTable(const std::vector<Layer>& layers) {
  Table table = {.caption = "Every layer",
                 .columns = {{"layer", false},
                             {"shape"},
                             {"type", false},
                             {"rank"},
                             {"bits a weight"},
                             {"weighted error"},
                             {"output error"}},
                 .rows = {}};
  for (const Layer& layer : layers) {
    table.rows.push_back({layer.name, layer.shape, layer.type,
                          layer.rank == 0 ? "" : std::to_string(layer.rank), Fixed(layer.bits),
                          Short(layer.weighted_error), Short(layer.output_error)});
  }
  return Details("The numbers of every layer", Draw(table));
}

Markup WeightsBody(const Json& inspection, const std::vector<Layer>& layers) {
  const size_t blocks = inspection.at("config").at("blocks");
  const auto bits = [](const Layer& layer) { return std::optional(layer.bits); };
  const auto error = [](const Layer& layer) { return layer.weighted_error; };
  return KindTable(inspection, layers) + LayerMap(layers, blocks, "bits a weight", false, bits) +
         LayerMap(layers, blocks, "weighted error", true, error) + LayerTable(layers);
}

ChartSeries BoundOver(const std::vector<Layer>& layers) {
  ChartSeries bound{.name = "Gaussian bound 2^(-2 bits)", .style = SeriesStyle::kGuide, .points = {}};
  double least = INFINITY, most = 0;
  for (const Layer& layer : layers) {
    least = std::min(least, layer.bits);
    most = std::max(most, layer.bits);
  }
  constexpr int kSteps = 200;  // dense enough to reach the frame where the curve leaves it
  for (int i = 0; i <= kSteps; ++i) {
    const double bits = least + (most - least) * i / kSteps;
    bound.points.push_back({bits, std::exp2(-2 * bits), "", ""});
  }
  return bound;
}

Markup BoundBody(const std::vector<Layer>& layers) {
  if (!HaveErrors(layers)) return {};
  XyChart chart = {.description =
                       "Scatter plot: weighted error of each layer over its bits a weight, with the "
                       "rate-distortion bound of Gaussian weights",
                   .x = {"bits a weight, scales included"},
                   .y = {"weighted error", true},
                   .series = {BoundOver(layers)}};
  for (const std::string& kind : KindsOf(layers)) {
    ChartSeries& series = chart.series.emplace_back(ChartSeries{.name = kind});
    for (const Layer& layer : layers) {
      if (layer.kind != kind || !layer.weighted_error) continue;
      series.points.push_back(
          {layer.bits, *layer.weighted_error,
           layer.name + ": " + Fixed(layer.bits) + " bits, error " + Short(layer.weighted_error), ""});
    }
  }
  return Paragraph(
             "No code can store independent Gaussian weights that all count alike with a smaller squared "
             "error "
             "than 2^(-2 bits). Layers come below the line as far as their weights are not independent, or "
             "some inputs and outputs count for much more than others.") +
         Draw(chart);
}

// The recipe of a refined file holds that of the file before under "start". The first job first; only the
// last few of very many.
std::vector<const Json*> RecipesInOrder(const Json& recipe) {
  constexpr size_t kMost = 16;
  std::vector<const Json*> recipes;
  for (const Json* at = &recipe; at->is_object() && recipes.size() < kMost; at = &At(*at, {"start"})) {
    recipes.push_back(at);
  }
  std::ranges::reverse(recipes);
  return recipes;
}

Markup TuningBody(const Json& recipe) {
  XyChart chart = {.description = "Curve: KL divergence on held-out text over the steps of tuning",
                   .x = {"step"},
                   .y = {"held-out KL, nats a token"},
                   .series = {}};
  Table table = {.caption = "Tuning", .columns = {{"step"}, {"held-out KL divergence"}}, .rows = {}};
  double before = 0;  // steps of the runs that came earlier
  for (const Json* run : RecipesInOrder(recipe)) {
    const std::vector<double> steps = NumbersAt(*run, {"tuning", "steps"});
    const std::vector<double> held_out = NumbersAt(*run, {"tuning", "held_out_kl"});
    const size_t count = std::min(steps.size(), held_out.size());
    if (count < 2) continue;
    const size_t number = chart.series.size() + 1;
    ChartSeries& series = chart.series.emplace_back(
        ChartSeries{.name = "run " + std::to_string(number), .style = SeriesStyle::kCurve});
    for (size_t i = 0; i < count; ++i) {
      const std::string step = NumberText(before + steps[i]), loss = NumberText(held_out[i], 4);
      series.points.push_back({before + steps[i], held_out[i], "step " + step + ": " + loss, ""});
      table.rows.push_back({step, loss});
    }
    before += steps[count - 1];
  }
  if (chart.series.empty()) return {};
  return Paragraph("Of the whole model, towards the predictions of the original. The best point was kept.") +
         Draw(chart) + Details("The numbers of the curve", Draw(table));
}

Markup SizeBody(const Json& size) {
  BarChart chart = {.caption = "Size by part", .name_heading = "part", .amount_heading = "size", .bars = {}};
  for (const auto& [part, bytes] : size.at("parts").items()) {
    if (bytes.get<double>() > 0) chart.bars.push_back({part, bytes, SizeText(bytes)});
  }
  return Draw(chart);
}

Markup TimeBody(const Json& job) {
  BarChart chart = {
      .caption = "Time by stage", .name_heading = "stage", .amount_heading = "time", .bars = {}};
  const Json& stages = At(job, {"stage_seconds"});
  if (!stages.is_object()) return {};
  for (const auto& [stage, seconds] : stages.items()) {
    if (!seconds.is_number() || !(seconds.get<double>() >= 0.01)) continue;  // there was nothing to do
    chart.bars.push_back({stage, seconds, DurationText(seconds)});
  }
  std::string memory;
  if (const auto bytes = NumberAt(job, {"peak_memory_bytes"}))
    memory = "Peak memory " + SizeText(*bytes) + ".";
  return Draw(chart) + (memory.empty() ? Markup() : Paragraph(memory));
}

// What other sections show already is left out.
Pairs SettingsOf(const Json& recipe) {
  constexpr std::array kShown = {"test", "tuning", "start", "linears"};
  Json settings = Json::object();
  for (const auto& [key, value] : recipe.items()) {
    if (std::ranges::count(kShown, key) == 0) settings[key] = value;
  }
  return Flattened(settings);
}

Markup RecipeBody(const Json& recipe) {
  const std::vector<const Json*> jobs = RecipesInOrder(recipe);
  Markup body;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Pairs settings = SettingsOf(*jobs[i]);
    if (settings.empty()) continue;
    if (jobs.size() > 1) body += Element("h3", {}, Text("Job " + std::to_string(i + 1)));
    body += DrawPairs(settings);
  }
  return body;
}

Markup ShapeBody(const Json& inspection) {
  Pairs pairs = Flattened(inspection.at("config"));
  for (const auto& [name, value] : Flattened(inspection.at("tokenizer"))) {
    pairs.emplace_back("tokenizer." + name, value);
  }
  return DrawPairs(pairs);
}

}  // namespace

std::string ModelPage(const Json& inspection, const Json& job) {
  const std::vector<Layer> layers = LayersOf(inspection);
  const Json& recipe = inspection.at("recipe");
  const std::string name = inspection.at("name"), file = inspection.at("file");
  const std::string architecture = inspection.at("architecture");
  return Render({.title = name.empty() ? file : name,
                 .subtitle = architecture + " model, " + file,
                 .numbers = KeyNumbers(inspection),
                 .sections = {{"Quality", QualityBody(recipe)},
                              {"Weights", WeightsBody(inspection, layers)},
                              {"Error against rate", BoundBody(layers)},
                              {"Tuning", TuningBody(recipe)},
                              {"Where the bytes are", SizeBody(inspection.at("size"))},
                              {"Where the time went", TimeBody(job)},
                              {"Recipe", RecipeBody(recipe)},
                              {"Model and tokenizer", ShapeBody(inspection)}}});
}

}  // namespace addend
