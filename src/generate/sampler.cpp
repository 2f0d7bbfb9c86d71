#include "generate/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/matrix.h"

namespace addend {
namespace {

void Require(bool holds, const char* option, double value, const char* needed) {
  if (!holds) throw Error("sampling: ", option, " is ", value, ", it must be ", needed);
}

}  // namespace

// Written so that NaN fails.
void SamplingOptions::Validate() const {
  Require(temperature >= 0 && std::isfinite(temperature), "temperature", temperature, "a number from 0 up");
  Require(top_p > 0 && top_p <= 1, "top-p", top_p, "above 0 and at most 1");
  Require(min_p >= 0 && min_p <= 1, "min-p", min_p, "between 0 and 1");
  Require(repetition_penalty > 0 && std::isfinite(repetition_penalty), "repetition penalty",
          repetition_penalty, "a number above 0");
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), rng_(options.seed) {
  options.Validate();
}

TokenId Sampler::Sample(std::span<const float> logits, std::span<const TokenId> previous) {
  if (logits.empty()) throw Error("sampling: there are no logits");
  if (const size_t bad = FirstNonFinite(logits); bad < logits.size()) {
    throw Error("sampling: the logit of token ", bad, " is ", logits[bad],
                "; the model's weights or activations are broken");
  }
  logits = Penalized(logits, previous);
  const auto best = std::max_element(logits.begin(), logits.end());  // the first of equals
  if (options_.temperature == 0) return static_cast<TokenId>(best - logits.begin());

  KeepTopK(logits);
  if (options_.top_p < 1) KeepTopP(*best);
  KeepMinP(*best);
  return Draw(*best);
}

bool Sampler::MoreLikely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

std::span<const float> Sampler::Penalized(std::span<const float> logits, std::span<const TokenId> previous) {
  if (options_.repetition_penalty == 1) return logits;
  penalized_.assign(logits.begin(), logits.end());
  for (const TokenId id : previous.last(std::min(previous.size(), options_.repetition_window))) {
    if (id >= logits.size()) continue;
    // From `logits`, so that a token that occurs twice is penalised once.
    penalized_[id] =
        logits[id] > 0 ? logits[id] / options_.repetition_penalty : logits[id] * options_.repetition_penalty;
  }
  return penalized_;
}

void Sampler::KeepTopK(std::span<const float> logits) {
  candidates_.clear();
  const size_t k = options_.top_k == 0 ? logits.size() : std::min(options_.top_k, logits.size());
  // One pass that mostly only compares: `floor` is a logit that k others are known to reach.
  const auto cut = [&] {
    std::nth_element(candidates_.begin(), candidates_.begin() + (k - 1), candidates_.end(), MoreLikely);
    candidates_.resize(k);
    return candidates_.back().logit;
  };
  float floor = -INFINITY;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] <= floor) continue;  // an equal one with a larger id loses
    candidates_.push_back({static_cast<TokenId>(id), logits[id]});
    if (candidates_.size() >= 2 * k + 64) floor = cut();
  }
  if (candidates_.size() > k) cut();
  // nth_element's order is the library's business; the draw needs one that is always the same.
  if (k < logits.size()) std::sort(candidates_.begin(), candidates_.end(), MoreLikely);
}

void Sampler::KeepTopP(float largest) {
  double total = 0;
  for (const Candidate& c : candidates_) total += std::exp(c.logit - largest);
  // Most of the probability sits in few tokens: take them off a heap one by one instead of sorting all.
  const auto less_likely = [](const Candidate& a, const Candidate& b) { return MoreLikely(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  auto heap_end = candidates_.end();
  for (double sum = 0; heap_end != candidates_.begin() && sum < options_.top_p * total;) {
    std::pop_heap(candidates_.begin(), heap_end--, less_likely);
    sum += std::exp(heap_end->logit - largest);
  }
  candidates_.erase(candidates_.begin(), heap_end);  // what was taken off stands behind the heap
}

void Sampler::KeepMinP(float largest) {
  const float floor = largest + std::log(options_.min_p);  // -infinity when off
  std::erase_if(candidates_, [&](const Candidate& c) { return c.logit < floor; });
}

TokenId Sampler::Draw(float largest) {
  const auto weight = [&](const Candidate& c) {
    return std::exp(double(c.logit - largest) / options_.temperature);
  };
  double total = 0;
  for (const Candidate& c : candidates_) total += weight(c);
  double left = rng_.Uniform() * total;
  for (const Candidate& c : candidates_) {
    left -= weight(c);
    if (left < 0) return c.id;
  }
  return candidates_.back().id;  // rounding
}

}  // namespace addend
