// How likely a model found the tokens of a text.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "tokenizer/token.h"

namespace addend {

struct TokenChance {
  TokenId id;
  double log_probability;  // natural logarithm
};

// A token of a text, and what else the model would have put there.
struct ScoredToken {
  TokenId id;
  std::optional<double> log_probability;  // none for the first token: nothing foretold it
  std::vector<TokenChance> likeliest;     // best first; of equals the smaller id first
};

// By the softmax over all of `logits`, as the model gave them: no temperature, no filters. With the
// `likeliest` likeliest tokens, or as many as there are. Throws Error when a logit is not finite.
ScoredToken Score(std::span<const float> logits, TokenId token, size_t likeliest);

}  // namespace addend
