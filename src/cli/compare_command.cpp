// `addend compare A B C...`
#include <algorithm>
#include <memory>
#include <set>

#include "base/progress.h"
#include "cli/commands.h"
#include "cli/inspection.h"
#include "cli/output.h"
#include "report/comparison_page.h"
#include "report/json_values.h"
#include "report/text_chart.h"

namespace addend {
namespace {

struct Arguments {
  std::vector<Path> models;
  Path page;
  bool json = false;
};

// A, B, ..., Z, A2, B2, ...
std::string Label(size_t index) {
  const std::string round = index < 26 ? "" : std::to_string(1 + index / 26);
  return std::string(1, static_cast<char>('A' + index % 26)) + round;
}

// What the recipe has about the model's quality, and about what it was measured on; null when it has none.
// Files made before protocol and window were written down used these.
Json RecordedQuality(const Json& recipe) {
  const auto perplexity = NumberAt(recipe, {"test", "perplexity"});
  if (!perplexity) return {};
  const std::string protocol = TextAt(recipe, {"test", "protocol"});
  const Json& window = At(recipe, {"test", "window"});
  const Json& divergence = At(recipe, {"test", "kl_divergence"});
  return {{"text", At(recipe, {"calibration", "hash"})},
          {"tokens", At(recipe, {"test", "tokens"})},
          {"protocol", protocol.empty() ? "hf" : protocol},
          {"window", window.is_null() ? At(recipe, {"calibration_length"}) : window},
          {"original", At(recipe, {"model"})},
          {"perplexity", *perplexity},
          {"kl_divergence", divergence.is_number() ? divergence : Json()},
          {"top1_agreement", At(recipe, {"test", "top1_agreement"})}};
}

Json FileOf(const Path& path, const std::string& label) {
  const Json model = Inspection(path, /*layers=*/false);
  const Json& size = model.at("size");
  return {{"label", label},
          {"file", model.at("file")},
          {"name", model.at("name")},
          {"architecture", model.at("architecture")},
          {"bytes", size.at("bytes")},
          {"weights", size.at("weights")},
          {"linear_bits_per_weight", size.at("linear_bits_per_weight")},
          {"file_bits_per_weight", size.at("file_bits_per_weight")},
          {"quality", RecordedQuality(model.at("recipe"))},
          {"front", false}};
}

// Do all files that have `keys` of their quality agree in them?
bool Agree(const Json& files, std::initializer_list<const char*> keys) {
  std::set<std::string> found;
  for (const Json& file : files) {
    if (file.at("quality").is_null()) continue;
    std::string values;
    for (const char* key : keys) values += file["quality"][key].dump() + "\n";
    found.insert(values);
  }
  return found.size() <= 1;
}

size_t CountMeasured(const Json& files) {
  return static_cast<size_t>(
      std::ranges::count_if(files, [](const Json& file) { return !file.at("quality").is_null(); }));
}

// What quality is compared by: "kl_divergence", "perplexity" or, when nothing can be, null. Divergences from
// different originals say nothing about each other.
Json MeasureFor(const Json& files) {
  if (CountMeasured(files) == 0 || !Agree(files, {"text", "tokens", "protocol", "window"})) return {};
  const bool all_diverge = std::ranges::all_of(files, [](const Json& file) {
    return file.at("quality").is_null() || !file["quality"]["kl_divergence"].is_null();
  });
  return all_diverge && Agree(files, {"original"}) ? "kl_divergence" : "perplexity";
}

// A file is on the front when no other is at least as small and as good, and better in one of the two.
void MarkFront(const std::string& measure, Json& files) {
  const auto beats = [&](const Json& a, const Json& b) {
    const double bytes = a["bytes"].get<double>() - b["bytes"].get<double>();
    const double error = a["quality"][measure].get<double>() - b["quality"][measure].get<double>();
    return bytes <= 0 && error <= 0 && (bytes < 0 || error < 0);
  };
  for (Json& file : files) {
    if (file["quality"].is_null()) continue;
    file["front"] = std::ranges::none_of(
        files, [&](const Json& other) { return !other.at("quality").is_null() && beats(other, file); });
  }
}

std::string HowMeasured(const Json& quality) {
  const std::string tokens = quality["tokens"].dump(), window = quality["window"].dump();
  return "Measured when each file was made, on " + tokens +
         " tokens of its calibration text that were set aside (" + quality["protocol"].get<std::string>() +
         ", windows of " + window + ").";
}

// What a reader must know before believing the numbers.
Json NotesFor(const Json& files, const Json& measure) {
  Json notes = Json::array();
  const auto measured =
      std::ranges::find_if(files, [](const Json& file) { return !file.at("quality").is_null(); });
  if (measured == files.end()) {
    notes.push_back("No file tells how good it is.");
    return notes;
  }
  if (measure.is_null()) {
    notes.push_back(
        "Perplexities and divergences were measured on different texts, or by different protocols: they "
        "cannot be compared.");
  } else {
    notes.push_back(HowMeasured((*measured)["quality"]));
    if (measure == "perplexity" && !Agree(files, {"original"}))
      notes.push_back("Divergences are from different originals: only perplexities can be compared.");
  }
  return notes;
}

Json Compare(const Arguments& arguments) {
  Json files = Json::array();
  for (const Path& path : arguments.models) files.push_back(FileOf(path, Label(files.size())));
  const Json measure = MeasureFor(files);
  if (!measure.is_null()) MarkFront(measure, files);
  Json notes = NotesFor(files, measure);
  return {{"measure", measure}, {"notes", std::move(notes)}, {"files", std::move(files)}};
}

std::string NumberOr(const Json& value, const char* format, double factor = 1) {
  return value.is_number() ? Format(format, factor * value.get<double>()) : "";
}

std::string FileRow(const Json& file) {
  constexpr size_t kLongestName = 40;
  const std::string name = Shortened(OneLine(file["file"].get<std::string>()), kLongestName);
  std::string row =
      Format("%c %-3s %-40s %9s %7.3f %7.3f", file["front"].get<bool>() ? '*' : ' ',
             file["label"].get<std::string>().c_str(), name.c_str(), SizeText(file["bytes"]).c_str(),
             file["file_bits_per_weight"].get<double>(), file["linear_bits_per_weight"].get<double>());
  const Json& quality = file["quality"];
  if (!quality.is_null()) {
    row += Format(" %11s %8s %8s", NumberOr(quality["perplexity"], "%.4f").c_str(),
                  NumberOr(quality["kl_divergence"], "%.4f").c_str(),
                  NumberOr(quality["top1_agreement"], "%.1f %%", 100).c_str());
  }
  return row + "\n";
}

std::string ToText(const Json& comparison) {
  std::string text = Format("%-46s %9s %7s %7s %11s %8s %8s\n", "", "size", "file", "layers", "perplexity",
                            "KL", "same top");
  for (const Json& file : comparison["files"]) text += FileRow(file);
  text += "\nfile, layers: bits a weight";
  if (!comparison["measure"].is_null()) text += "; *: no other is both smaller and better";
  text += "\n";
  for (const Json& note : comparison["notes"]) text += note.get<std::string>() + "\n";
  constexpr size_t kFewest = 3;  // a picture of fewer says nothing that the table does not
  if (CountMeasured(comparison["files"]) >= kFewest) text += "\n" + DrawAsText(ComparisonChart(comparison));
  return text;
}

void Run(const Arguments& arguments) {
  if (!arguments.page.empty()) CheckOutput(arguments.models, arguments.page);
  const Json comparison = Compare(arguments);
  if (!arguments.page.empty()) WriteFileAtomically(arguments.page, ComparisonPage(comparison));
  if (arguments.json) {
    PrintJson(comparison);
  } else {
    Print(ToText(comparison));
  }
}

}  // namespace

CommandRun SetUpCompare(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Models");
  const auto add = [arguments](const std::vector<std::string>& models) {
    if (std::ranges::count(models, "") > 0) throw UsageError("MODELS: a name is empty");
    arguments->models.assign(models.begin(), models.end());
  };
  app.add_option_function<std::vector<std::string>>("MODELS", add, "compressed, GGUF or Hugging Face folders")
      ->type_name("PATH...")
      ->required();
  app.option_defaults()->group("Output");
  AddPath(app, "--html", arguments->page, "also a page with a chart");
  AddFlag(app, "--json", arguments->json, "the table as JSON");
  app.option_defaults()->group("General");
  app.footer("Example: addend compare small.gguf smaller.gguf --html comparison.html");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
