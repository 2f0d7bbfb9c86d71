// `addend eval`: is the text new to the model?
#include "cli/eval_parts.h"
#include "cli/output.h"
#include "compress/recipe.h"

namespace addend {
namespace {

bool IsCompressed(const Model& model) {
  return model.metadata.Has(kRecipeKey);
}

std::string TextOf(const Question& question) {
  std::string text = question.context;
  for (const std::string& choice : question.choices) text += "\n" + choice;
  return text;
}

std::string Percent(double share) {
  return Format("%.2g %%", 100 * share);
}

void Note(const EvalArguments& arguments, const std::string& text) {
  if (!arguments.common.quiet) PrintNote(text);
}

// What is evaluated, in the parts that it has: {"text", what the tokens say}, {"tasks", the questions}.
std::vector<std::pair<Path, std::string>> TextsOf(const EvalArguments& arguments, const EvalInputs& inputs) {
  std::vector<std::pair<Path, std::string>> texts;
  if (!arguments.text.empty()) texts.emplace_back(arguments.text, inputs.model->tokenizer.Decode(inputs.ids));
  if (!arguments.tasks.empty()) {
    std::string& text = texts.emplace_back(arguments.tasks, "").second;
    for (const Question& question : inputs.questions) text += TextOf(question) + "\n";
  }
  return texts;
}

Json Check(const EvalArguments& arguments, const Path& name, const std::string& text, const EvalModel& model,
           const TextFingerprint& fingerprint) {
  const TextOverlap overlap = fingerprint.OverlapWith(text);
  const std::string what =
      name.string() + ": " + Percent(overlap.Share()) + " of its phrases (" + std::to_string(overlap.found) +
      " of " + std::to_string(overlap.sampled) + " looked up), up to " + std::to_string(overlap.longest) +
      " words in a row, also stand in the text that " + model.path.string() + " was calibrated on";
  if (overlap.IsCopy() && !arguments.allow_overlap) {
    throw Error(what, ", so the result would flatter; --allow-overlap measures all the same");
  }
  if (overlap.found > 0) Note(arguments, what);
  return {{"model", model.path.string()}, {"file", name.string()},
          {"share", overlap.Share()},     {"phrases", overlap.sampled},
          {"found", overlap.found},       {"longest_passage_words", overlap.longest}};
}

}  // namespace

EvalPart CheckOverlap(const EvalArguments& arguments, const EvalInputs& inputs) {
  EvalPart part;
  const auto texts = TextsOf(arguments, inputs);
  if (texts.empty()) return part;
  for (const EvalModel* model : {inputs.model, inputs.reference}) {
    if (model == nullptr || !IsCompressed(model->model)) continue;
    const std::optional<TextFingerprint> fingerprint = FingerprintOf(model->model);
    if (!fingerprint) {
      Note(arguments,
           model->path.string() +
               " does not say what text it was calibrated on: whether this is some of it cannot be checked");
      continue;
    }
    for (const auto& [name, text] : texts)
      part.json["overlap"].push_back(Check(arguments, name, text, *model, *fingerprint));
  }
  return part;
}

}  // namespace addend
