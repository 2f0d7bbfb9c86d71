#include "cli/generate_options.h"

#include <algorithm>

#include "chat/chat_template.h"

namespace addend {

void GenerateArguments::Check() {
  generate.max_tokens = tokens < 0 ? kUntilContextIsFull : static_cast<size_t>(tokens);
  AsUsage([&] { generate.sampling.Validate(); });
}

void AddLengthOptions(CLI::App& app, GenerateArguments& arguments, Range<long> tokens,
                      const std::string& tokens_help, const std::string& context_help) {
  AddNumber(app, "-n,--n-predict", arguments.tokens, tokens, tokens_help);
  AddNumber(app, "-c,--ctx-size", arguments.context, {0, kMostTokens}, context_help);
  AddKvType(app, arguments.kv_type);
}

void AddStopOption(CLI::App& app, std::vector<std::string>& stop) {
  const auto add = [&stop](const std::vector<std::string>& texts) {
    if (std::count(texts.begin(), texts.end(), "") > 0) {
      throw UsageError("--stop: the text is empty; it would end every text at once");
    }
    stop = texts;
  };
  app.add_option_function<std::vector<std::string>>("--stop", add, "end before this text (may be repeated)")
      ->type_name("TEXT")
      ->allow_extra_args(false);
}

CLI::Option* AddTemplateOption(CLI::App& app, std::optional<std::string>& name) {
  Choices<std::string> names;
  for (const std::string& known : ChatTemplate::BuiltInNames()) names.emplace_back(known, known);
  return AddChoice(app, "--chat-template", name, names, "in place of the model's own");
}

void AddSamplingOptions(CLI::App& app, SamplingOptions& sampling) {
  AddNumber(app, "--temp", sampling.temperature, {0, 1000}, "temperature; 0 = the likeliest token");
  AddNumber(app, "--top-k", sampling.top_k, {0, 1 << 30}, "only the K likeliest; 0 = off");
  AddNumber(app, "--top-p", sampling.top_p, {0, 1}, "only the fewest that make up P; 1 = off");
  AddNumber(app, "--min-p", sampling.min_p, {0, 1}, "only those above P of the best; 0 = off");
  AddNumber(app, "--repeat-penalty", sampling.repetition_penalty, {0, 1000},
            "makes recent tokens less likely; 1 = off");
  AddNumber(app, "--repeat-last-n", sampling.repetition_window, {0, kMostTokens},
            "how many tokens are recent");
  AddNumber(app, "-s,--seed", sampling.seed, {0, UINT64_MAX}, "equal seeds give equal texts");
}

}  // namespace addend
