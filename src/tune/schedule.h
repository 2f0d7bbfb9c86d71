// How learning rates follow the number of steps.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace addend {

inline constexpr size_t kWarmUpSteps = 5;

// The share of the full rate for step `step`, which counts from 0: a short warm-up, then flat, then linearly
// to zero in the second half. With total = 0 the end is not known yet.
inline double RateFactor(size_t step, size_t total) {
  const auto now = static_cast<double>(step), end = static_cast<double>(total);
  const double warm_up = std::min(1.0, (now + 1) / kWarmUpSteps);
  const double decay = total > 0 ? std::clamp(2 * (end - now) / end, 0.0, 1.0) : 1.0;
  return std::min(warm_up, decay);
}

// The full rate of the latents of signs: the one that is wanted, or with 0 one that goes with the number of
// steps. As a random walk, noise alone then takes a latent kTravel far over the whole run; a sign changes at
// 1 (docs/results.md).
inline double SignLearningRate(double wanted, size_t total) {
  constexpr double kTravel = 0.2;
  return wanted > 0 ? wanted : kTravel / std::sqrt(static_cast<double>(total));
}

}  // namespace addend
