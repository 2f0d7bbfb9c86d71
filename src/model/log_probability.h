// What a row of logits says, in double precision.
#pragma once
#include <cstddef>
#include <span>

namespace addend {

// log p(i) = logits[i] - log(sum over j of exp(logits[j])), over a row of logits that must outlive it.
// When a logit is NaN or +infinity, every log p is NaN: callers check the result, not each logit.
class LogProbabilities {
 public:
  explicit LogProbabilities(std::span<const float> logits);
  double operator[](size_t i) const { return logits_[i] - normaliser_; }
  size_t size() const { return logits_.size(); }
  size_t MostLikely() const;  // the first of equals

 private:
  std::span<const float> logits_;
  double normaliser_;
};

// Sum over i of p(i) (log p(i) - log q(i)), in nats; p and q of equal size.
double KlDivergence(const LogProbabilities& p, const LogProbabilities& q);

}  // namespace addend
