// `addend run MODEL TEXT`
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/interrupt.h"
#include "chat/chat_prompt.h"
#include "cli/commands.h"
#include "cli/generate_options.h"
#include "cli/output.h"
#include "model/model.h"

namespace addend {
namespace {

struct Arguments {
  Path model;
  TextSource prompt;
  bool parse_special = false, chat = false;
  std::optional<std::string> chat_template;
  GenerateArguments generate;
  bool no_statistics = false;
  bool json = false;
  CommonOptions common;
};

// By default no more than needed: memory follows the context.
size_t ContextFor(const GenerateArguments& arguments, const ModelConfig& config, size_t prompt_tokens) {
  if (arguments.context > 0) return arguments.context;
  if (arguments.generate.max_tokens == kUntilContextIsFull) return config.context;
  return std::min(config.context, prompt_tokens + arguments.generate.max_tokens);
}

void PrintStatistics(const Generation& generation) {
  const GenerateStatistics& statistics = generation.statistics;
  std::fprintf(stderr, "[prompt: %zu tokens, %.1f tokens/s; written: %zu tokens, %.1f tokens/s; %s]\n",
               statistics.prompt_tokens, statistics.PromptTokensPerSecond(), generation.tokens.size(),
               statistics.DecodeTokensPerSecond(), std::string(Name(generation.finish)).c_str());
}

Json ToJson(const Generation& generation) {
  const GenerateStatistics& statistics = generation.statistics;
  return {{"text", generation.text},
          {"tokens", generation.tokens},
          {"finish", Name(generation.finish)},
          {"prompt_tokens", statistics.prompt_tokens},
          {"prompt_tokens_per_second", statistics.PromptTokensPerSecond()},
          {"decode_tokens_per_second", statistics.DecodeTokensPerSecond()}};
}

std::vector<TokenId> Encode(const Arguments& arguments, const Tokenizer& tokenizer, const std::string& text) {
  if (arguments.chat) {
    const ChatMessage message{.role = "user", .content = text};
    return ChatPrompt(tokenizer, arguments.chat_template).Encode({&message, 1});
  }
  std::vector<TokenId> prompt =
      tokenizer.Encode(text, {.parse_special = arguments.parse_special, .add_special = true});
  // Only a model with a BOS can begin with nothing.
  if (prompt.empty())
    throw UsageError("the text is empty, and this model needs some to go on from; give it with -p");
  return prompt;
}

void Run(Arguments& arguments) {
  arguments.generate.Check();
  const std::string text = arguments.prompt.Read();
  CatchInterrupts();

  const Model model = LoadCheckedModel(arguments.model);
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  const std::vector<TokenId> prompt = Encode(arguments, tokenizer, text);
  if (!arguments.common.quiet) NoteLongContext(arguments.generate.context, model.config.context);
  ThreadPool pool(arguments.common.threads);
  Transformer transformer(model, pool);
  Session session(transformer, tokenizer, ContextFor(arguments.generate, model.config, prompt.size()),
                  arguments.generate.kv_type);

  const auto show = [&](std::string_view piece) {
    if (!arguments.json) PrintText(piece);
    return true;
  };
  const Generation generation = session.Generate(prompt, arguments.generate.generate, show);
  if (arguments.json) {
    PrintJson(ToJson(generation));
  } else if (!generation.tokens.empty() && !generation.text.ends_with('\n')) {
    Print("\n");
  }
  if (!arguments.json && !arguments.no_statistics && !arguments.common.quiet) PrintStatistics(generation);
  if (generation.finish == FinishReason::kInterrupted) throw Interrupted("interrupted");
}

}  // namespace

CommandRun SetUpRun(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->generate.tokens = 128;

  app.option_defaults()->group("Model and text");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddTextSource(app, "-p,--prompt,TEXT", arguments->prompt, "the text to go on from");
  CLI::Option* const special =
      AddFlag(app, "--special", arguments->parse_special, "read <|im_start|> and such in it as tokens");
  CLI::Option* const chat =
      AddFlag(app, "--chat", arguments->chat, "answer it, as the first message of a chat");
  chat->excludes(special);
  AddTemplateOption(app, arguments->chat_template)->needs(chat);
  AddLengthOptions(app, arguments->generate, {-1, kMostTokens},
                   "tokens to write; 0 = only read the text, -1 = until the context is full",
                   "context in tokens; 0 = as needed");
  AddStopOption(app, arguments->generate.generate.stop);

  app.option_defaults()->group("Sampling");
  AddSamplingOptions(app, arguments->generate.generate.sampling);

  AddCommonOptions(app, arguments->common);
  AddFlag(app, "--no-stats", arguments->no_statistics, "no statistics on stderr");
  AddFlag(app, "--json", arguments->json, "text, token ids and statistics, all at the end");
  app.footer(
      "Examples:\n"
      "  addend run model.gguf -p \"The capital of France is\" -n 32 --temp 0\n"
      "  addend run model.gguf --chat -f letter.txt -n -1\n"
      "  addend run model.gguf -f story.txt --stop \"The end\" > continued.txt");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
