// Does a model still write? It answers a few fixed prompts greedily, and what is wrong with the answers is
// counted: what compression breaks first, and perplexity does not show, is that texts end in loops.
#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "evaluate/statistics.h"
#include "generate/session.h"

namespace addend {

// Tasks and questions for a model that answers (through its chat template), and beginnings of texts for one
// that only goes on. English.
std::span<const std::string_view> InstructionPrompts();
std::span<const std::string_view> PlainPrompts();

// 1 - (different runs of 4 tokens) / (all of them): seq-rep-4 of arXiv 1908.04319. 0 for fewer than 4 tokens.
double RepeatedShare(std::span<const TokenId> tokens);
// Do the tokens end in the same ones at least three times in a row, in a dozen tokens or more?
bool EndsInLoop(std::span<const TokenId> tokens);

struct WrittenText {
  std::string prompt, text;
  size_t tokens = 0;   // without the end token
  bool ended = false;  // by the model's own end token, not by the limit
  bool empty = false;  // nothing, or nothing but white space
  bool loops = false;
  double repeated = 0;
};

struct GenerationReport {
  std::vector<WrittenText> texts;
  RunningMean tokens, ended, empty, loops, repeated;  // over the texts; shares as means of 0 and 1
};

struct GenerationOptions {
  size_t max_tokens = 128;  // of an answer
  // From a prompt to what the model reads; it has the BOS where one belongs.
  std::function<std::vector<TokenId>(std::string_view prompt)> encode;
};

// Throws Error as Session does; Interrupted on request.
GenerationReport CheckGeneration(Transformer& model, const Tokenizer& tokenizer,
                                 std::span<const std::string_view> prompts, const GenerationOptions& options,
                                 const Progress& progress);

}  // namespace addend
