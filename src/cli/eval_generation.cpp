// `addend eval --generation`: what the model writes.
#include "cli/eval_parts.h"
#include "cli/output.h"
#include "evaluate/generation_check.h"

namespace addend {
namespace {

GenerationReport Check(const EvalArguments& arguments, const EvalModel& given, Transformer& transformer) {
  const auto encode = [&given](std::string_view prompt) {
    return given.tokenizer.Encode(prompt, {.add_special = true});
  };
  return CheckGeneration(transformer, given.tokenizer, PlainPrompts(), {.encode = encode},
                         arguments.common.ConsoleProgress());
}

Json ToJson(const GenerationReport& report) {
  Json json = {{"empty", report.empty.mean()},
               {"loops", report.loops.mean()},
               {"repeated_4_grams", report.repeated.mean()},
               {"ended", report.ended.mean()},
               {"tokens", report.tokens.mean()},
               {"texts", Json::array()}};
  for (const WrittenText& text : report.texts) {
    json["texts"].push_back({{"prompt", text.prompt},
                             {"text", text.text},
                             {"tokens", text.tokens},
                             {"ended", text.ended},
                             {"loops", text.loops},
                             {"repeated_4_grams", text.repeated}});
  }
  return json;
}

std::string ToText(const char* name, const GenerationReport& report) {
  return Format("  %-10s %7.0f %% %7.0f %% %9.0f %% %9.0f %% %12.1f\n", name, 100 * report.empty.mean(),
                100 * report.loops.mean(), 100 * report.repeated.mean(), 100 * (1 - report.ended.mean()),
                report.tokens.mean());
}

std::string Samples(const GenerationReport& report) {
  std::string text;
  for (const WrittenText& written : report.texts)
    text += "\n  > " + OneLine(written.prompt) + "\n  " + OneLine(written.text) + "\n";
  return text;
}

}  // namespace

EvalPart EvaluateGeneration(const EvalArguments& arguments, const EvalInputs& inputs) {
  EvalPart part;
  Json& json = part.json["generation"];
  const GenerationReport report = Check(arguments, *inputs.model, inputs.model->transformer);
  json["model"] = ToJson(report);
  part.text = Format("%zu texts, greedily, of at most %zu tokens\n\n", report.texts.size(),
                     GenerationOptions().max_tokens);
  part.text +=
      Format("  %-10s %9s %9s %11s %11s %12s\n", "", "empty", "in loops", "repeated", "unended", "tokens");
  part.text += ToText("model", report);
  if (inputs.reference != nullptr) {
    const GenerationReport reference = Check(arguments, *inputs.reference, inputs.reference->transformer);
    json["reference"] = ToJson(reference);
    part.text += ToText("reference", reference);
  }
  if (arguments.verbose) part.text += Samples(report);
  return part;
}

}  // namespace addend
