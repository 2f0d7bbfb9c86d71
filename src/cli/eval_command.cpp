// `addend eval MODEL [-f TEXT] [--tasks FILE] [--generation]`
#include <algorithm>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/eval_parts.h"
#include "cli/output.h"
#include "model/model.h"

namespace addend {
namespace {

void CheckArguments(const EvalArguments& arguments) {
  if (arguments.text.empty() && arguments.tasks.empty() && !arguments.generation)
    throw UsageError("nothing to measure: give a text (--file), questions (--tasks) or --generation");
  if (arguments.text == "-" && arguments.tasks == "-")
    throw UsageError("--file and --tasks cannot both be standard input");
  CheckWindow(arguments);
}

EvalPart Measure(const EvalArguments& arguments) {
  EvalInputs inputs;
  std::string text;
  if (!arguments.text.empty()) text = ReadPlainText(arguments.text);
  if (!arguments.tasks.empty())
    inputs.questions = ReadQuestions(ReadTextFile(arguments.tasks), arguments.tasks.string());
  ThreadPool pool(arguments.common.threads);
  EvalModel model(arguments.model, pool);
  std::optional<EvalModel> reference;
  if (!arguments.reference.empty()) reference.emplace(arguments.reference, pool);
  inputs.model = &model;
  inputs.reference = reference ? &*reference : nullptr;
  if (!arguments.text.empty()) EncodeText(arguments, text, inputs);

  EvalPart whole;
  whole.json["model"] = arguments.model.string();
  if (reference) whole.json["reference"] = arguments.reference.string();
  const auto add = [&](bool wanted, EvalPart (*part)(const EvalArguments&, const EvalInputs&)) {
    if (!wanted) return;
    const EvalPart result = part(arguments, inputs);
    whole.json.update(result.json);
    if (!whole.text.empty() && !result.text.empty()) whole.text += "\n";
    whole.text += result.text;
  };
  add(true, CheckOverlap);
  add(!arguments.text.empty(), EvaluateText);
  add(!arguments.tasks.empty(), EvaluateTasks);
  add(arguments.generation, EvaluateGeneration);
  return whole;
}

void Run(const EvalArguments& arguments) {
  CheckArguments(arguments);
  CatchInterrupts();
  const EvalPart measured = Measure(arguments);
  PrintResult(measured.json, measured.text, arguments.json);
}

}  // namespace

EvalModel::EvalModel(const Path& path_given, ThreadPool& pool)
    : path(path_given),
      model(LoadCheckedModel(path)),
      tokenizer(LoadTokenizer(path)),
      transformer(model, pool) {}

std::optional<TokenId> EvalModel::LeadingBos() const {
  const std::vector<TokenId> ids = tokenizer.Encode("", {.add_special = true});
  const std::optional<TokenId> bos = tokenizer.bos();
  return bos && !ids.empty() && ids.front() == *bos ? bos : std::nullopt;
}

void AddProtocolOptions(CLI::App& app, EvalArguments& arguments) {
  app.option_defaults()->group("Protocol");
  AddNumber(app, "-c,--ctx-size", arguments.window, {2, 1 << 20}, "tokens in a window of the text");
  AddNumber(app, "-n,--tokens", arguments.tokens, {0, SIZE_MAX}, "only the text's first N; 0 = all");
  AddKvType(app, arguments.kv_type);
  AddFlag(app, "--allow-overlap", arguments.allow_overlap, "also with text it was calibrated on");
}

void CheckWindow(const EvalArguments& arguments) {
  if (arguments.tokens > 0 && arguments.tokens < arguments.window) {
    throw UsageError("--tokens asks for only ", arguments.tokens, " tokens, less than one window of ",
                     arguments.window, " (--ctx-size)");
  }
}

void EncodeText(const EvalArguments& arguments, const std::string& text, EvalInputs& inputs) {
  if (!arguments.common.quiet) NoteLongContext(arguments.window, inputs.model->model.config.context);
  inputs.ids = inputs.model->tokenizer.Encode(text);
  if (inputs.reference != nullptr && inputs.reference->tokenizer.Encode(text) != inputs.ids) {
    throw Error(arguments.reference.string(), ": its tokenizer reads ", arguments.text.string(),
                " as other tokens than that of ", arguments.model.string(), " does: not comparable");
  }
  inputs.text_tokens = inputs.ids.size();
  if (arguments.tokens > 0) inputs.ids.resize(std::min(inputs.ids.size(), arguments.tokens));
}

Json ToJson(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json();
}

std::string ToText(const std::optional<Interval>& interval, int decimals) {
  if (!interval) return "unknown";
  return Format("%.*f to %.*f", decimals, interval->low, decimals, interval->high);
}

std::optional<Interval> Share(std::optional<Interval> interval) {
  if (!interval) return std::nullopt;
  return Interval{std::max(interval->low, 0.0), std::min(interval->high, 1.0)};
}

CommandRun SetUpEval(CLI::App& app) {
  const auto arguments = std::make_shared<EvalArguments>();
  app.option_defaults()->group("Model and measures");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddPath(app, "-f,--file", arguments->text, "perplexity: the text to predict; - = standard input");
  AddPath(app, "--tasks", arguments->tasks, "accuracy: multiple-choice questions, JSON lines");
  AddFlag(app, "--generation", arguments->generation, "answers to fixed prompts: empty, in loops?");
  AddPath(app, "--reference", arguments->reference, "the original: compare with it in everything");
  AddProtocolOptions(app, *arguments);
  app.option_defaults()->group("Output");
  AddFlag(app, "--verbose", arguments->verbose, "also each question and answer");
  AddJson(app, arguments->json);
  AddCommonOptions(app, arguments->common);
  app.footer(
      "Perplexity by two protocols, on windows that do not overlap: hf counts every\n"
      "prediction, llama.cpp those of the second half of each window. Only equal\n"
      "protocols and windows can be compared. docs/evaluation.md has the rest.\n\n"
      "Examples:\n"
      "  addend eval model.gguf -f wiki.test.raw\n"
      "  addend eval model.gguf -f wiki.test.raw --reference original.gguf --json\n"
      "  addend eval model.gguf --tasks arc.jsonl --generation --verbose");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
