// Products with blocks of 4, 5 and 8 bits (dense_product.h, Precision::kNear) over the vectors of one target:
// included by those targets that multiply bytes, after simd_<target>.h. A vector holds kVectorBlocks blocks,
// as bytes without sign.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/activation_digits.h"
#include "kernels/prefetch.h"
#include "tensor/ggml_blocks.h"
#include "tensor/matrix.h"

namespace addend::ADDEND_SIMD {

// A type of tensor/ggml_blocks.h. In each, a half-precision scale stands in front, and behind it the minimum
// where there is one. `stride`: from one block of a vector to the next.
template <typename Block>
struct Numbers {
  static constexpr size_t kBytes = sizeof(Block);
  static constexpr bool kHasMinimum = requires(Block block) { block.min; };
  static constexpr bool kHasFifthBits = requires(Block block) { block.high; };
  static constexpr bool kWhole = sizeof(Block::q) == Block::kElements;
  // What the bytes are too large by.
  static constexpr int kCentre = kHasMinimum ? 0 : kWhole ? 128 : kHasFifthBits ? 16 : 8;

  ADDEND_TARGET static BlockBytes Load(const std::byte* block, size_t stride) {
    const std::byte* const numbers = block + offsetof(Block, q);
    if constexpr (kWhole) {
      return FlipTopBits(LoadBlocks(numbers, stride));
    } else if constexpr (kHasFifthBits) {
      return AddFifthBits(LoadNibbles(numbers, stride), block + offsetof(Block, high), stride);
    } else {
      return LoadNibbles(numbers, stride);
    }
  }
};

// y(i, r) = row r . x[token + i]: kRows rows that share what is loaded of x, kTokens tokens that share what
// is decoded of the rows.
template <typename Block, size_t kRows, size_t kTokens>
ADDEND_TARGET void DotTile(const std::byte* rows, const ActivationDigits& x, size_t token, MatrixView y) {
  const size_t blocks = x.blocks(), row_bytes = blocks * Numbers<Block>::kBytes;
  for (size_t r = 0; r < kRows; ++r) PrefetchAhead(rows + r * row_bytes, row_bytes);
  Floats sums[kRows][kTokens] = {};
  for (size_t b = 0; b < blocks; b += kVectorBlocks, rows += kVectorBlocks * Numbers<Block>::kBytes) {
    // Behind an odd number of blocks, the last one again: the digits there are zeros.
    const size_t stride = b + kVectorBlocks <= blocks ? Numbers<Block>::kBytes : 0;
    BlockBytes numbers[kRows];
    Floats scales[kRows], minimums[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      numbers[r] = Numbers<Block>::Load(rows + r * row_bytes, stride);
      scales[r] = BlockHalves(rows + r * row_bytes, stride);
      if constexpr (Numbers<Block>::kHasMinimum) {
        minimums[r] = BlockHalves(rows + r * row_bytes + offsetof(Block, min), stride);
      }
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
      if constexpr (Numbers<Block>::kHasMinimum) {
        const Floats sum = Load(pair.sums + lane);
        for (size_t r = 0; r < kRows; ++r) {
          sums[r][t] = MultiplyAdd(minimums[r], sum, sums[r][t]);
        }
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t t = 0; t < kTokens; ++t) y(t, r) = Sum(sums[r][t]);
  }
}

template <typename Block, size_t kRows, size_t kTokens>
ADDEND_TARGET void DotTiles(const std::byte* rows, const ActivationDigits& x, size_t token, MatrixView y) {
  const size_t row_bytes = x.blocks() * Numbers<Block>::kBytes;
  size_t r = 0;
  for (; r + kRows <= y.cols; r += kRows)
    DotTile<Block, kRows, kTokens>(rows + r * row_bytes, x, token, y.Cols(r, kRows));
  for (; r < y.cols; ++r) DotTile<Block, 1, kTokens>(rows + r * row_bytes, x, token, y.Cols(r, 1));
}

template <typename Block>
ADDEND_TARGET void BlockRows(const std::byte* rows, const ActivationDigits& x, MatrixView y) {
  constexpr size_t kTogether = 16;  // rows that stay in the first cache while all tokens pass
  const size_t row_bytes = x.blocks() * Numbers<Block>::kBytes;
  for (size_t first = 0; first < y.cols; first += kTogether) {
    const size_t count = first + kTogether <= y.cols ? kTogether : y.cols - first;
    const std::byte* const some = rows + first * row_bytes;
    size_t t = 0;
    for (; t + kManyTokens <= x.tokens(); t += kManyTokens)
      DotTiles<Block, kManyRows, kManyTokens>(some, x, t, y.Rows(t, kManyTokens).Cols(first, count));
    for (; t < x.tokens(); ++t) DotTiles<Block, 4, 1>(some, x, t, y.Rows(t, 1).Cols(first, count));
  }
}

}  // namespace addend::ADDEND_SIMD
