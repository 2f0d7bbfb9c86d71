// `addend eval --generation`: what the model writes.
#include <ctime>

#include "base/error.h"
#include "chat/chat_prompt.h"
#include "cli/eval_parts.h"
#include "cli/output.h"
#include "evaluate/generation_check.h"

namespace addend {
namespace {

// Some templates write the date, and the result should be the same every day: 1 January 2024.
constexpr std::time_t kToday = 1704067200;

bool HasTemplate(const EvalModel& model) {
  return !model.tokenizer.chat_template().empty();
}

// The model's chat template where it has one.
GenerationReport Check(const EvalArguments& arguments, EvalModel& model) {
  const Progress progress = arguments.common.ConsoleProgress();
  const auto check = [&](std::span<const std::string_view> prompts, auto encode) {
    return CheckGeneration(model.transformer, model.tokenizer, prompts, {.encode = encode}, progress);
  };
  if (!HasTemplate(model)) {
    return check(PlainPrompts(), [&](std::string_view prompt) {
      return model.tokenizer.Encode(prompt, {.add_special = true});
    });
  }
  return WithContext(model.path.string(), [&] {
    const ChatPrompt chat(model.tokenizer);
    return check(InstructionPrompts(), [&](std::string_view prompt) {
      const ChatMessage message{.role = "user", .content = std::string(prompt)};
      return chat.Encode({&message, 1}, {.now = kToday});
    });
  });
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
  const GenerationReport report = Check(arguments, *inputs.model);
  json["chat_template"] = HasTemplate(*inputs.model);
  json["model"] = ToJson(report);
  part.text =
      Format("%zu texts%s, greedily, of at most %zu tokens\n\n", report.texts.size(),
             HasTemplate(*inputs.model) ? " through the chat template" : "", GenerationOptions().max_tokens);
  part.text +=
      Format("  %-10s %9s %9s %11s %11s %12s\n", "", "empty", "in loops", "repeated", "unended", "tokens");
  part.text += ToText("model", report);
  if (inputs.reference != nullptr) {
    const GenerationReport reference = Check(arguments, *inputs.reference);
    json["reference"] = ToJson(reference);
    part.text += ToText("reference", reference);
  }
  if (arguments.verbose) part.text += Samples(report);
  return part;
}

}  // namespace addend
