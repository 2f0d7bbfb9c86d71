#include "evaluate/generation_check.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/interrupt.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

constexpr size_t kGram = 4;

// Without the token that ended it.
std::span<const TokenId> TokensOf(const Generation& generation) {
  const std::span tokens(generation.tokens);
  return generation.finish == FinishReason::kEndToken ? tokens.first(tokens.size() - 1) : tokens;
}

WrittenText TextFrom(std::string_view prompt, const Generation& generation) {
  const std::span<const TokenId> tokens = TokensOf(generation);
  return {.prompt = std::string(prompt),
          .text = generation.text,
          .tokens = tokens.size(),
          .ended = generation.finish == FinishReason::kEndToken,
          .empty = TrimWhiteSpace(generation.text, true, true).empty(),
          .loops = EndsInLoop(tokens),
          .repeated = RepeatedShare(tokens)};
}

void Add(WrittenText text, GenerationReport& report) {
  report.tokens.Add(static_cast<double>(text.tokens));
  report.ended.Add(text.ended ? 1 : 0);
  report.empty.Add(text.empty ? 1 : 0);
  report.loops.Add(text.loops ? 1 : 0);
  report.repeated.Add(text.repeated);
  report.texts.push_back(std::move(text));
}

}  // namespace

std::span<const std::string_view> InstructionPrompts() {
  static constexpr std::array<std::string_view, 10> kPrompts = {
      "What is the capital of France?",
      "Explain in two sentences why the sky is blue.",
      "Name three animals that can fly.",
      "Write a short poem about the sea.",
      "How do I boil an egg?",
      "Translate into French: Good morning, my friend.",
      "What is 12 plus 30?",
      "Write a Python function that returns the larger of two numbers.",
      "Give me advice on how to sleep better.",
      "Tell me a story about a dog who finds a key."};
  return kPrompts;
}

std::span<const std::string_view> PlainPrompts() {
  static constexpr std::array<std::string_view, 10> kPrompts = {
      "The capital of France is",
      "The sky is blue because",
      "Once upon a time there was a dog who found",
      "The history of the city begins in the twelfth century, when",
      "To boil an egg, first",
      "In the study of physics, energy is",
      "Dear Sir or Madam,\nI am writing to you about",
      "def maximum(a, b):\n",
      "The best way to sleep well is to",
      "She opened the letter, read it twice, and"};
  return kPrompts;
}

double RepeatedShare(std::span<const TokenId> tokens) {
  if (tokens.size() < kGram) return 0;
  std::set<std::array<TokenId, kGram>> different;
  const size_t grams = tokens.size() - kGram + 1;
  for (size_t i = 0; i < grams; ++i) {
    std::array<TokenId, kGram> gram;
    std::ranges::copy(tokens.subspan(i, kGram), gram.begin());
    different.insert(gram);
  }
  return 1 - static_cast<double>(different.size()) / static_cast<double>(grams);
}

bool EndsInLoop(std::span<const TokenId> tokens) {
  constexpr size_t kTimes = 3, kLeast = 12;
  for (size_t period = 1; period * kTimes <= tokens.size(); ++period) {
    // How many tokens at the end are those of a period before.
    size_t same = 0;
    while (same + period < tokens.size() &&
           tokens[tokens.size() - 1 - same] == tokens[tokens.size() - 1 - same - period])
      ++same;
    if (same + period >= std::max(kTimes * period, kLeast)) return true;
  }
  return false;
}

GenerationReport CheckGeneration(Transformer& model, const Tokenizer& tokenizer,
                                 std::span<const std::string_view> prompts, const GenerationOptions& options,
                                 const Progress& progress) {
  const GenerateOptions greedy{.sampling = {.temperature = 0}, .max_tokens = options.max_tokens};
  GenerationReport report;
  for (const std::string_view prompt : prompts) {
    const std::vector<TokenId> ids = options.encode(prompt);
    Session session(model, tokenizer, ids.size() + options.max_tokens);
    const Generation generation = session.Generate(ids, greedy);
    ThrowIfInterrupted();
    Add(TextFrom(prompt, generation), report);
    const auto done = static_cast<double>(report.texts.size());
    Report(progress, {"generate", done, static_cast<double>(prompts.size()), "texts"});
  }
  return report;
}

}  // namespace addend
