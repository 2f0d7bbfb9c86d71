// The measures of `addend eval`: each is a part with a file of its own, and gives what it found as JSON and
// as text for people.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"
#include "cli/options.h"
#include "evaluate/questions.h"
#include "evaluate/statistics.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {

struct EvalArguments {
  Path model, reference;
  Path text, tasks;         // each empty when it is not asked for
  bool generation = false;  // and this
  size_t window = 512, tokens = 32768;
  DType kv_type = DType::kF16;
  bool allow_overlap = false;
  bool json = false, verbose = false;
  CommonOptions common;
};

// A model to measure.
struct EvalModel {
  EvalModel(const Path& path_given, ThreadPool& pool);
  // The token that the tokenizer's own rule puts in front of a text, if it does.
  std::optional<TokenId> LeadingBos() const;

  Path path;
  Model model;
  Tokenizer tokenizer;
  Transformer transformer;
};

// What there is to measure with, and on. Tokens of the text: those that are evaluated, and all.
struct EvalInputs {
  EvalModel* model = nullptr;
  EvalModel* reference = nullptr;  // none without --reference
  std::vector<TokenId> ids;        // of the text, at most --tokens
  size_t text_tokens = 0;          // before that limit
  std::vector<Question> questions;
};

struct EvalPart {
  Json json = Json::object();  // fields of the command's result
  std::string text;            // whole lines
};

// -c, -n and --allow-overlap.
void AddProtocolOptions(CLI::App& app, EvalArguments& arguments);
// Throws UsageError when fewer tokens are asked for than a window has.
void CheckWindow(const EvalArguments& arguments);
// Sets the tokens of the text. Throws Error when the reference reads it as other tokens than the model.
void EncodeText(const EvalArguments& arguments, const std::string& text, EvalInputs& inputs);

// Throws Error when text or questions are a copy of what a compressed model was calibrated on, unless that is
// allowed; notes what cannot be known, and smaller overlaps.
EvalPart CheckOverlap(const EvalArguments& arguments, const EvalInputs& inputs);
EvalPart EvaluateText(const EvalArguments& arguments, const EvalInputs& inputs);
EvalPart EvaluateTasks(const EvalArguments& arguments, const EvalInputs& inputs);
EvalPart EvaluateGeneration(const EvalArguments& arguments, const EvalInputs& inputs);

// null when there is none.
Json ToJson(const std::optional<Interval>& interval);
// "27.34 to 29.02" with so many decimals; "unknown" when there is none.
std::string ToText(const std::optional<Interval>& interval, int decimals);
// Of a share: within 0 and 1.
std::optional<Interval> Share(std::optional<Interval> interval);

}  // namespace addend
