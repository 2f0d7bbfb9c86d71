#include "generate/token_scores.h"

#include <algorithm>

#include "base/error.h"
#include "model/log_probability.h"
#include "tensor/matrix.h"

namespace addend {
namespace {

// Ids of the `count` largest, best first. One pass that mostly only compares with the least of them.
std::vector<TokenId> Largest(std::span<const float> logits, size_t count) {
  const auto better = [&](TokenId a, TokenId b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::vector<TokenId> best;
  if (count == 0) return best;
  for (TokenId id = 0; id < logits.size(); ++id) {
    if (best.size() == count && !better(id, best.back())) continue;
    if (best.size() == count) best.pop_back();
    best.insert(std::upper_bound(best.begin(), best.end(), id, better), id);
  }
  return best;
}

}  // namespace

ScoredToken Score(std::span<const float> logits, TokenId token, size_t likeliest) {
  if (const size_t bad = FirstNonFinite(logits); bad < logits.size()) {
    throw Error("the logit of token ", bad, " is ", logits[bad],
                "; the model's weights or activations are broken");
  }
  const LogProbabilities log_probabilities(logits);
  ScoredToken scored{.id = token, .log_probability = log_probabilities[token]};
  for (const TokenId id : Largest(logits, likeliest)) scored.likeliest.push_back({id, log_probabilities[id]});
  return scored;
}

}  // namespace addend
