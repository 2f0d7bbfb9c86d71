#include "model/log_probability.h"

#include <algorithm>
#include <cmath>

namespace addend {
namespace {

double LogSumExp(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

}  // namespace

LogProbabilities::LogProbabilities(std::span<const float> logits)
    : logits_(logits), normaliser_(LogSumExp(logits)) {}

size_t LogProbabilities::MostLikely() const {
  return static_cast<size_t>(std::max_element(logits_.begin(), logits_.end()) - logits_.begin());
}

double KlDivergence(const LogProbabilities& p, const LogProbabilities& q) {
  double sum = 0;
  // A float's exp is exact enough for a weight; the difference of the logarithms is what cancels.
  for (size_t i = 0; i < p.size(); ++i) sum += std::exp(static_cast<float>(p[i])) * (p[i] - q[i]);
  return sum;
}

}  // namespace addend
