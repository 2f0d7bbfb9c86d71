// Activations of few tokens as whole numbers of 14 bits, in two digits of 7: what products with blocks of
// small whole numbers multiply by, because CPUs multiply and add bytes many at a time.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace addend {

// 32 columns are a block with a scale of its own:  x ~ scale * (128 high + low).  Here are two blocks, side
// by side. What there is one of for each block is repeated, or stands in the first of, eight lanes: those of
// the 32-bit sums of its bytes' products, four at a time.
struct alignas(64) DigitPair {
  static constexpr size_t kBlock = 32, kLanes = 8;

  int8_t high[2 * kBlock] = {}, low[2 * kBlock] = {};
  int32_t starts[2 * kLanes] = {};  // -centre * the sum of the block's whole numbers, in the first lane
  float scales[2 * kLanes] = {};    // in all lanes
  float sums[2 * kLanes] = {};      // of the block's x, in the first lane: what a minimum is multiplied by
};

class ActivationDigits {
 public:
  // x.cols must be a multiple of 32. `centre`: what the weights' bytes are too large by. A block with a value
  // that is not finite gets a scale that is not.
  ActivationDigits(ConstMatrixView x, int centre);

  size_t tokens() const { return tokens_; }
  size_t blocks() const { return blocks_; }  // of a token
  // Of blocks 2 i and 2 i + 1 (zeros behind the last); the tokens' pairs follow each other.
  const DigitPair* Pair(size_t i, size_t token) const { return pairs_.data() + i * tokens_ + token; }

 private:
  size_t tokens_, blocks_;
  AlignedVector<DigitPair> pairs_;
};

}  // namespace addend
