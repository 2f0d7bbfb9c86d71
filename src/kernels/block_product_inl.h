// Products with blocks of 4, 5 and 8 bits (dense_product.h, Precision::kNear) over the vectors of one target:
// included by those targets that multiply bytes, after simd_<target>.h. A vector holds kVectorBlocks blocks,
// as bytes without sign.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/activation_digits.h"
#include "kernels/prefetch.h"
#include "tensor/matrix.h"

namespace addend::ADDEND_SIMD {

// The types of ggml: kBytes of a block, and where in it its numbers are. In each, a half-precision scale
// stands in front, and behind it the minimum where there is one. `stride`: from one block of a vector to the
// next.
struct Q8_0Numbers {
  static constexpr size_t kBytes = 34;
  static constexpr int kCentre = 128;
  static constexpr bool kHasMinimum = false;
  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    return FlipTopBits(LoadBlocks(block + 2, stride));
  }
};
struct Q4_0Numbers {
  static constexpr size_t kBytes = 18;
  static constexpr int kCentre = 8;
  static constexpr bool kHasMinimum = false;
  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    return LoadNibbles(block + 2, stride);
  }
};
struct Q4_1Numbers {
  static constexpr size_t kBytes = 20;
  static constexpr int kCentre = 0;
  static constexpr bool kHasMinimum = true;
  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    return LoadNibbles(block + 4, stride);
  }
};
struct Q5_0Numbers {
  static constexpr size_t kBytes = 22;
  static constexpr int kCentre = 16;
  static constexpr bool kHasMinimum = false;
  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    return AddFifthBits(LoadNibbles(block + 6, stride), block + 2, stride);
  }
};
struct Q5_1Numbers {
  static constexpr size_t kBytes = 24;
  static constexpr int kCentre = 0;
  static constexpr bool kHasMinimum = true;
  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    return AddFifthBits(LoadNibbles(block + 8, stride), block + 4, stride);
  }
};

// y(i, r) = row r . x[token + i]: kRows rows that share what is loaded of x, kTokens tokens that share what
// is decoded of the rows.
template <typename Numbers, size_t kRows, size_t kTokens>
ADDEND_TARGET void DotTile(const std::byte* rows, const ActivationDigits& x, size_t token, MatrixView y) {
  const size_t blocks = x.blocks(), row_bytes = blocks * Numbers::kBytes;
  for (size_t r = 0; r < kRows; ++r) PrefetchAhead(rows + r * row_bytes, row_bytes);
  Floats sums[kRows][kTokens] = {};
  for (size_t b = 0; b < blocks; b += kVectorBlocks, rows += kVectorBlocks * Numbers::kBytes) {
    // Behind an odd number of blocks, the last one again: the digits there are zeros.
    const size_t stride = b + kVectorBlocks <= blocks ? Numbers::kBytes : 0;
    BlockBytes numbers[kRows];
    Floats scales[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      numbers[r] = Numbers::Load(rows + r * row_bytes, stride);
      scales[r] = BlockHalves(rows + r * row_bytes, stride);
    }
    const DigitPair* const pairs = x.Pair(b / 2, token);
    const size_t byte = b % 2 * DigitPair::kBlock, lane = b % 2 * DigitPair::kLanes;
    for (size_t t = 0; t < kTokens; ++t) {
      const DigitPair& pair = pairs[t];
      const BlockBytes high = LoadDigits(pair.high + byte), low = LoadDigits(pair.low + byte),
                       start = LoadDigits(pair.starts + lane);
      const Floats scale = Load(pair.scales + lane);
      for (size_t r = 0; r < kRows; ++r) {
        sums[r][t] = MultiplyAdd(DotDigits(numbers[r], high, low, start), scales[r] * scale, sums[r][t]);
      }
      if constexpr (Numbers::kHasMinimum) {
        const Floats sum = Load(pair.sums + lane);
        for (size_t r = 0; r < kRows; ++r) {
          sums[r][t] = MultiplyAdd(BlockHalves(rows + r * row_bytes + 2, stride), sum, sums[r][t]);
        }
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t t = 0; t < kTokens; ++t) y(t, r) = Sum(sums[r][t]);
  }
}

template <typename Numbers, size_t kRows, size_t kTokens>
ADDEND_TARGET void DotTiles(const std::byte* rows, const ActivationDigits& x, size_t token, MatrixView y) {
  const size_t row_bytes = x.blocks() * Numbers::kBytes;
  size_t r = 0;
  for (; r + kRows <= y.cols; r += kRows)
    DotTile<Numbers, kRows, kTokens>(rows + r * row_bytes, x, token, y.Cols(r, kRows));
  for (; r < y.cols; ++r) DotTile<Numbers, 1, kTokens>(rows + r * row_bytes, x, token, y.Cols(r, 1));
}

template <typename Numbers>
ADDEND_TARGET void BlockRows(const std::byte* rows, const ActivationDigits& x, MatrixView y) {
  constexpr size_t kTogether = 16;  // rows that stay in the first cache while all tokens pass
  const size_t row_bytes = x.blocks() * Numbers::kBytes;
  for (size_t first = 0; first < y.cols; first += kTogether) {
    const size_t count = first + kTogether <= y.cols ? kTogether : y.cols - first;
    const std::byte* const some = rows + first * row_bytes;
    size_t t = 0;
    for (; t + kManyTokens <= x.tokens(); t += kManyTokens)
      DotTiles<Numbers, kManyRows, kManyTokens>(some, x, t, y.Rows(t, kManyTokens).Cols(first, count));
    for (; t < x.tokens(); ++t) DotTiles<Numbers, 4, 1>(some, x, t, y.Rows(t, 1).Cols(first, count));
  }
}

template <typename Numbers>
constexpr BlockKernel kBlockKernel = {BlockRows<Numbers>, Numbers::kCentre};

const BlockKernels kBlockKernels = {kBlockKernel<Q8_0Numbers>, kBlockKernel<Q5_1Numbers>,
                                    kBlockKernel<Q5_0Numbers>, kBlockKernel<Q4_1Numbers>,
                                    kBlockKernel<Q4_0Numbers>};

}  // namespace addend::ADDEND_SIMD
