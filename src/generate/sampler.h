// Choosing the next token from logits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "tokenizer/token.h"

namespace addend {

// The filters apply in this order, as in llama.cpp.
struct SamplingOptions {
  // Divides positive and multiplies negative logits of recent tokens (CTRL, arXiv 1909.05858); 1 = off.
  float repetition_penalty = 1;
  size_t repetition_window = 64;  // how many tokens are recent
  size_t top_k = 40;              // only the k most likely; 0 = off
  float top_p = 0.95f;            // only the fewest tokens that together have this probability; 1 = off
  float min_p = 0.05f;            // only those with this share of the best one's probability; 0 = off
  float temperature = 0.8f;       // flattens (> 1) or sharpens (< 1) what is left; 0 = the most likely
  uint64_t seed = 1;

  void Validate() const;  // throws Error naming the option that is out of range
};

// Equal seeds and logits give equal tokens. Of equally likely tokens the one with the smaller id comes first.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);  // validates

  // `previous`: the tokens before, for the repetition penalty. Throws Error when a logit is not finite.
  TokenId Sample(std::span<const float> logits, std::span<const TokenId> previous);

 private:
  struct Candidate {
    TokenId id;
    float logit;
  };
  static bool MoreLikely(const Candidate& a, const Candidate& b);

  std::span<const float> Penalized(std::span<const float> logits, std::span<const TokenId> previous);
  void KeepTopK(std::span<const float> logits);
  void KeepTopP(float largest);
  void KeepMinP(float largest);
  TokenId Draw(float largest);

  SamplingOptions options_;
  Rng rng_;
  std::vector<Candidate> candidates_;
  std::vector<float> penalized_;
};

}  // namespace addend
