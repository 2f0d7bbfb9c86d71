#include "cli/comparison.h"

#include <algorithm>
#include <set>
#include <span>

#include "base/hash.h"
#include "base/threads.h"
#include "cli/inspection.h"
#include "cli/output.h"
#include "report/json_values.h"

namespace addend {
namespace {

// A, B, ..., Z, A2, B2, ...
std::string Label(size_t index) {
  const std::string round = index < 26 ? "" : std::to_string(1 + index / 26);
  return std::string(1, static_cast<char>('A' + index % 26)) + round;
}

// What the recipe has about the model's quality, and about what it was measured on; null when one of the two
// is missing. Files made before protocol and window were written down used these.
Json RecordedQuality(const Json& recipe) {
  const auto perplexity = NumberAt(recipe, {"test", "perplexity"});
  const std::string text = TextAt(recipe, {"calibration", "hash"});
  if (!perplexity || text.empty()) return {};
  const std::string protocol = TextAt(recipe, {"test", "protocol"});
  const Json& window = At(recipe, {"test", "window"});
  const Json& divergence = At(recipe, {"test", "kl_divergence"});
  return {{"source", "recipe"},
          {"text", text},
          {"tokens", At(recipe, {"test", "tokens"})},
          {"protocol", protocol.empty() ? "hf" : protocol},
          {"window", window.is_null() ? At(recipe, {"calibration_length"}) : window},
          {"original", At(recipe, {"model"})},
          {"perplexity", *perplexity},
          {"kl_divergence", divergence.is_number() ? divergence : Json()},
          {"top1_agreement", At(recipe, {"test", "top1_agreement"})}};
}

// Measures one model after the other by the code of `addend eval`.
class Measuring {
 public:
  explicit Measuring(const EvalArguments& protocol)
      : arguments_(protocol), text_(ReadPlainText(protocol.text)), pool_(protocol.common.threads) {
    if (!protocol.reference.empty()) reference_.emplace(protocol.reference, pool_);
  }

  Json Quality(const Path& path) {
    EvalModel model(path, pool_);
    arguments_.model = path;
    EvalInputs inputs{.model = &model, .reference = reference_ ? &*reference_ : nullptr};
    EncodeText(arguments_, text_, inputs);
    CheckOverlap(arguments_, inputs);
    const Json found = EvaluateText(arguments_, inputs).json;
    const Json& score = found.at("perplexity").at("hf");
    const Json& divergence = At(found, {"divergence", "hf"});
    return {{"source", "measured"},
            {"text", HashText(Hash64(std::as_bytes(std::span(inputs.ids))))},
            {"tokens", inputs.ids.size()},
            {"protocol", "hf"},
            {"window", arguments_.window},
            {"original", arguments_.reference.string()},
            {"perplexity", score.at("perplexity")},
            {"perplexity_interval_95", score.at("interval_95")},
            {"kl_divergence", At(divergence, {"kl", "mean"})},
            {"kl_interval_95", At(divergence, {"kl", "interval_95"})},
            {"top1_agreement", At(divergence, {"same_top", "mean"})}};
  }

 private:
  EvalArguments arguments_;
  std::string text_;
  ThreadPool pool_;
  std::optional<EvalModel> reference_;
};

// `measuring`: null when what the recipe recorded is wanted.
Json FileOf(const Path& path, const std::string& label, Measuring* measuring) {
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
          {"quality", measuring ? measuring->Quality(path) : RecordedQuality(model.at("recipe"))},
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

// What quality is compared by: "kl_divergence", "perplexity" or, when nothing can be, null. Divergences from
// different originals say nothing about each other.
Json MeasureFor(const Json& files) {
  const auto unknown = [](const Json& file) { return file.at("quality").is_null(); };
  if (std::ranges::all_of(files, unknown) || !Agree(files, {"text", "tokens", "protocol", "window"}))
    return {};
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

std::string HowMeasured(const Json& quality, const EvalArguments& protocol) {
  const std::string tokens = quality["tokens"].dump(), window = quality["window"].dump();
  const std::string way = quality["protocol"].get<std::string>() + ", windows of " + window;
  if (quality["source"] == "measured")
    return "Measured on " + tokens + " tokens of " + OneLine(protocol.text.string()) + " (" + way + ").";
  return "Measured when each file was made, on " + tokens +
         " tokens of its calibration text that were set aside (" + way + ").";
}

// What a reader must know before believing the numbers.
Json NotesFor(const Json& files, const Json& measure, const EvalArguments& protocol) {
  Json notes = Json::array();
  const auto measured =
      std::ranges::find_if(files, [](const Json& file) { return !file.at("quality").is_null(); });
  if (measured == files.end()) {
    notes.push_back("No file tells how good it is: -f TEXT measures.");
    return notes;
  }
  if (measure.is_null() && !protocol.text.empty()) {
    notes.push_back("The models read the text as different tokens: their numbers cannot be compared.");
  } else if (measure.is_null()) {
    notes.push_back(
        "Perplexities and divergences were measured on different texts, or by different protocols: they "
        "cannot be compared. -f TEXT measures all alike.");
  } else {
    notes.push_back(HowMeasured((*measured)["quality"], protocol));
    if (measure == "perplexity" && !Agree(files, {"original"}))
      notes.push_back("Divergences are from different originals: only perplexities can be compared.");
  }
  return notes;
}

}  // namespace

Json Comparison(const std::vector<Path>& models, const EvalArguments& protocol) {
  std::optional<Measuring> measuring;
  if (!protocol.text.empty()) measuring.emplace(protocol);
  Json files = Json::array();
  for (const Path& path : models)
    files.push_back(FileOf(path, Label(files.size()), measuring ? &*measuring : nullptr));
  const Json measure = MeasureFor(files);
  if (!measure.is_null()) MarkFront(measure, files);
  Json notes = NotesFor(files, measure, protocol);
  return {{"measure", measure}, {"notes", std::move(notes)}, {"files", std::move(files)}};
}

}  // namespace addend
