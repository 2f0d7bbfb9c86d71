// `addend run MODEL TEXT`
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "generate/session.h"

namespace addend {
namespace {

constexpr long kMostTokens = 1L << 30;

struct Arguments {
  Path model;
  TextSource prompt;
  bool parse_special = false;
  long tokens = 128;
  size_t context = 0;
  GenerateOptions generate;
  bool no_statistics = false;
  bool json = false;
  CommonOptions common;
};

// By default no more than needed: memory follows the context.
size_t ContextFor(const Arguments& arguments, const ModelConfig& config, size_t prompt_tokens) {
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
  std::vector<TokenId> prompt =
      tokenizer.Encode(text, {.parse_special = arguments.parse_special, .add_special = true});
  // Only a model with a BOS can begin with nothing.
  if (prompt.empty())
    throw UsageError("the text is empty, and this model needs some to go on from; give it with -p");
  return prompt;
}

void Run(Arguments& arguments) {
  arguments.generate.max_tokens =
      arguments.tokens < 0 ? kUntilContextIsFull : static_cast<size_t>(arguments.tokens);
  AsUsage([&] { arguments.generate.sampling.Validate(); });
  const std::string text = arguments.prompt.Read();
  CatchInterrupts();

  const Model model = LoadCheckedModel(arguments.model);
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  const std::vector<TokenId> prompt = Encode(arguments, tokenizer, text);
  if (!arguments.common.quiet) NoteLongContext(arguments.context, model.config.context);
  ThreadPool pool(arguments.common.threads);
  Transformer transformer(model, pool);
  Session session(transformer, tokenizer, ContextFor(arguments, model.config, prompt.size()));

  const auto show = [&](std::string_view piece) {
    if (!arguments.json) Print(piece);
    return true;
  };
  const Generation generation = session.Generate(prompt, arguments.generate, show);
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
  SamplingOptions& sampling = arguments->generate.sampling;

  app.option_defaults()->group("Model and text");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddTextSource(app, "-p,--prompt,TEXT", arguments->prompt, "the text to go on from");
  AddFlag(app, "--special", arguments->parse_special, "read <|im_start|> and such in it as tokens");
  AddNumber(app, "-n,--n-predict", arguments->tokens, {-1, kMostTokens},
            "tokens to write; 0 = only read the text, -1 = until the context is full");
  AddNumber(app, "-c,--ctx-size", arguments->context, {0, kMostTokens}, "context in tokens; 0 = as needed");
  const auto add_stop = [arguments](const std::vector<std::string>& texts) {
    if (std::count(texts.begin(), texts.end(), "") > 0) {
      throw UsageError("--stop: the text is empty; it would end every text at once");
    }
    arguments->generate.stop = texts;
  };
  app.add_option_function<std::vector<std::string>>("--stop", add_stop,
                                                    "end before this text (may be repeated)")
      ->type_name("TEXT")
      ->allow_extra_args(false);

  app.option_defaults()->group("Sampling");
  AddNumber(app, "--temp", sampling.temperature, {0, 1000}, "temperature; 0 = the likeliest token");
  AddNumber(app, "--top-k", sampling.top_k, {0, 1 << 30}, "only the K likeliest; 0 = off");
  AddNumber(app, "--top-p", sampling.top_p, {0, 1}, "only the fewest that make up P; 1 = off");
  AddNumber(app, "--min-p", sampling.min_p, {0, 1}, "only those above P of the best; 0 = off");
  AddNumber(app, "--repeat-penalty", sampling.repetition_penalty, {0, 1000},
            "makes recent tokens less likely; 1 = off");
  AddNumber(app, "--repeat-last-n", sampling.repetition_window, {0, kMostTokens},
            "how many tokens are recent");
  AddNumber(app, "-s,--seed", sampling.seed, {0, UINT64_MAX}, "equal seeds give equal texts");

  AddCommonOptions(app, arguments->common);
  AddFlag(app, "--no-stats", arguments->no_statistics, "no statistics on stderr");
  AddFlag(app, "--json", arguments->json, "text, token ids and statistics, all at the end");
  app.footer(
      "Examples:\n"
      "  addend run model.gguf -p \"The capital of France is\" -n 32 --temp 0\n"
      "  addend run model.gguf -f story.txt --stop \"The end\" > continued.txt");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
