// How a learning rate runs over a tuning: a short warm-up, then flat, then linearly to zero in the second
// half.
#pragma once
#include <algorithm>
#include <cstddef>

namespace addend {

inline constexpr size_t kWarmUpSteps = 5;

// The share of the full rate for step `step`, which counts from 0. With total = 0 the end is not known yet.
inline double RateFactor(size_t step, size_t total) {
  const auto now = static_cast<double>(step), end = static_cast<double>(total);
  const double warm_up = std::min(1.0, (now + 1) / kWarmUpSteps);
  const double decay = total > 0 ? std::clamp(2 * (end - now) / end, 0.0, 1.0) : 1.0;
  return std::min(warm_up, decay);
}

}  // namespace addend
