// `addend eval FILE -f TEXT`
#include <cmath>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "evaluate/perplexity.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

struct Arguments {
  Path model, text, reference;
  size_t window = 512, tokens = 32768;
  bool json = false;
  CommonOptions common;
};

// What was measured; the reference's part and the divergence only when there is a reference.
struct Measured {
  size_t text_tokens = 0;
  PerplexityResult model;
  std::optional<DivergenceResult> divergence;
};

// The token that the tokenizer's own rule puts in front of a text, if it does.
std::optional<TokenId> LeadingBos(const Tokenizer& tokenizer) {
  const std::vector<TokenId> ids = tokenizer.Encode("", {.add_special = true});
  const std::optional<TokenId> bos = tokenizer.bos();
  return bos && !ids.empty() && ids.front() == *bos ? bos : std::nullopt;
}

Measured Measure(const Arguments& arguments) {
  const std::string text = ReadPlainText(arguments.text);
  const Model model = LoadCheckedModel(arguments.model);
  if (!arguments.common.quiet) NoteLongContext(arguments.window, model.config.context);
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  const std::vector<TokenId> ids = tokenizer.Encode(text);
  const PerplexityOptions options{
      .window = arguments.window, .max_tokens = arguments.tokens, .bos = LeadingBos(tokenizer)};
  ThreadPool pool(arguments.common.threads);
  Transformer transformer(model, pool);
  const Progress progress = arguments.common.ConsoleProgress();
  if (arguments.reference.empty()) {
    return {ids.size(), Perplexity(transformer, ids, options, progress), std::nullopt};
  }
  const Model reference = LoadCheckedModel(arguments.reference);
  if (LoadTokenizer(arguments.reference).Encode(text) != ids) {
    throw Error(arguments.reference.string(), ": its tokenizer reads ", arguments.text.string(),
                " as other tokens than that of ", arguments.model.string(), " does: not comparable");
  }
  Transformer original(reference, pool);
  const DivergenceResult divergence = Divergence(original, transformer, ids, options, progress);
  return {ids.size(), divergence.other, divergence};
}

// JSON has no infinity, and for people the mean says more.
void RefuseOverflow(const Path& model, const PerplexityResult& result) {
  for (const ProtocolScore* score : {&result.hf, &result.llama_cpp}) {
    if (std::isfinite(score->Perplexity())) continue;
    throw Error(model.string(), ": its perplexity is too large for a number; the mean is ",
                score->negative_log_likelihood.mean(), " nats a token");
  }
}

Json ToJson(const ProtocolScore& score) {
  return {{"perplexity", score.Perplexity()},
          {"standard_error", score.StandardError()},
          {"window_standard_error", score.WindowStandardError()},
          {"predictions", score.negative_log_likelihood.count()}};
}

Json ToJson(const PerplexityResult& result) {
  return {{"hf", ToJson(result.hf)}, {"llama.cpp", ToJson(result.llama_cpp)}};
}

Json ToJson(const ProtocolDivergence& divergence) {
  const auto mean = [](const WindowedMean& values) {
    return Json{{"mean", values.mean()},
                {"standard_error", values.standard_error()},
                {"window_standard_error", values.window_standard_error()}};
  };
  return {{"kl", mean(divergence.kl)}, {"same_top", mean(divergence.same_top)}};
}

Json ToJson(const Arguments& arguments, const Measured& measured) {
  Json json = {{"model", arguments.model.string()},   {"text", arguments.text.string()},
               {"text_tokens", measured.text_tokens}, {"window", measured.model.window},
               {"windows", measured.model.windows},   {"perplexity", ToJson(measured.model)}};
  if (measured.divergence) {
    json["reference"] = arguments.reference.string();
    json["reference_perplexity"] = ToJson(measured.divergence->reference);
    json["divergence"] = {{"hf", ToJson(measured.divergence->hf)},
                          {"llama.cpp", ToJson(measured.divergence->llama_cpp)}};
  }
  return json;
}

std::string PerplexityRow(const char* name, const char* protocol, const ProtocolScore& score) {
  return Format("  %-10s %-10s %12.4f  +- %.4f   (%.4f by windows)\n", name, protocol, score.Perplexity(),
                score.StandardError(), score.WindowStandardError());
}

std::string PerplexityRows(const char* name, const PerplexityResult& result) {
  return PerplexityRow(name, "hf", result.hf) + PerplexityRow("", "llama.cpp", result.llama_cpp);
}

std::string DivergenceRow(const char* name, const char* protocol, const ProtocolDivergence& divergence) {
  return Format("  %-10s %-10s %12.5f  +- %.5f   same top token %.2f %% +- %.2f\n", name, protocol,
                divergence.kl.mean(), divergence.kl.standard_error(), 100 * divergence.same_top.mean(),
                100 * divergence.same_top.standard_error());
}

std::string ToText(const Arguments& arguments, const Measured& measured) {
  const PerplexityResult& model = measured.model;
  std::string text = OneLine(arguments.text.string());
  text += Format(": %zu windows of %zu tokens, of %zu in the text\n\n", model.windows, model.window,
                 measured.text_tokens);
  text += Format("  %-10s %-10s %12s  standard error\n", "", "protocol", "perplexity");
  text += PerplexityRows("model", model);
  if (!measured.divergence) return text;
  const DivergenceResult& divergence = *measured.divergence;
  text += PerplexityRows("reference", divergence.reference);
  text += Format("\n  %-10s %-10s %12s\n", "", "", "mean KL (reference || model), nats a token");
  text += DivergenceRow("divergence", "hf", divergence.hf);
  text += DivergenceRow("", "llama.cpp", divergence.llama_cpp);
  return text;
}

void Run(const Arguments& arguments) {
  if (arguments.tokens > 0 && arguments.tokens < arguments.window) {
    throw UsageError("--tokens asks for only ", arguments.tokens, " tokens, less than one window of ",
                     arguments.window, " (--ctx-size)");
  }
  CatchInterrupts();
  const Measured measured = Measure(arguments);
  RefuseOverflow(arguments.model, measured.model);
  if (measured.divergence) RefuseOverflow(arguments.reference, measured.divergence->reference);
  if (arguments.json) {
    PrintJson(ToJson(arguments, measured));
  } else {
    Print(ToText(arguments, measured));
  }
}

}  // namespace

CommandRun SetUpEval(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Model and text");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddPath(app, "-f,--file", arguments->text, "the text to predict; - reads standard input")->required();
  AddPath(app, "--reference", arguments->reference, "the original: also measure the divergence");
  app.option_defaults()->group("Protocol");
  AddNumber(app, "-c,--ctx-size", arguments->window, {2, 1 << 20}, "tokens in a window");
  AddNumber(app, "-n,--tokens", arguments->tokens, {0, SIZE_MAX}, "only the first N tokens; 0 = all");
  app.option_defaults()->group("Output");
  AddFlag(app, "--json", arguments->json, "the result as JSON");
  AddCommonOptions(app, arguments->common);
  app.footer(
      "Two protocols, both on windows that do not overlap: hf counts every prediction,\n"
      "llama.cpp those of the second half of each window. Only equal protocols and\n"
      "windows can be compared.\n\n"
      "Examples:\n"
      "  addend eval model.gguf -f wiki.test.raw\n"
      "  addend eval model.gguf -f wiki.test.raw --reference original.gguf --json");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
