#include "kernels/activation_digits.h"

#include <algorithm>
#include <cmath>

namespace addend {
namespace {

// The largest whole number: 63 * 128 + 63, so that digits are -64 .. 63.
constexpr float kLargest = 8127;
// Smaller activations count as zero; their inverse would not be finite.
constexpr float kSmallest = 1e-30f;

constexpr size_t kBlock = DigitPair::kBlock, kLanes = DigitPair::kLanes;

// One block into one half of a pair.
void SplitBlock(const float* x, int centre, size_t half, DigitPair& pair) {
  float largest = 0, sum = 0;
  bool finite = true;
  for (size_t i = 0; i < kBlock; ++i) {
    largest = std::max(largest, std::abs(x[i]));
    finite &= std::isfinite(x[i]);
    sum += x[i];
  }
  const float inverse = finite && largest > kSmallest ? kLargest / largest : 0;
  int32_t whole_sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const auto whole = finite ? static_cast<int32_t>(std::nearbyint(x[i] * inverse)) : 0;
    const int32_t digit = (whole + 64) >> 7;
    pair.high[half * kBlock + i] = static_cast<int8_t>(digit);
    pair.low[half * kBlock + i] = static_cast<int8_t>(whole - 128 * digit);
    whole_sum += whole;
  }
  std::fill_n(pair.scales + half * kLanes, kLanes, finite ? largest / kLargest : std::nanf(""));
  pair.sums[half * kLanes] = sum;
  pair.starts[half * kLanes] = -centre * whole_sum;
}

}  // namespace

ActivationDigits::ActivationDigits(ConstMatrixView x, int centre)
    : tokens_(x.rows), blocks_(x.cols / kBlock), pairs_((blocks_ + 1) / 2 * tokens_) {
  for (size_t b = 0; b < blocks_; ++b) {
    for (size_t t = 0; t < tokens_; ++t) {
      SplitBlock(x.Row(t).data() + b * kBlock, centre, b % 2, pairs_[b / 2 * tokens_ + t]);
    }
  }
}

}  // namespace addend
