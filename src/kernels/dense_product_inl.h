// The loops of dense_product.h over the vectors of one target: see simd_inl.h.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/prefetch.h"
#include "tensor/matrix.h"

namespace addend::ADDEND_SIMD {

// Plain types: a row is its elements.
struct F32Row {
  using Element = float;
  ADDEND_TARGET static Floats Values(const float* p) { return Load(p); }
  ADDEND_TARGET static Floats Values(const float* p, size_t n) { return Load(p, n); }
};
struct F16Row {
  using Element = uint16_t;
  ADDEND_TARGET static Floats Values(const uint16_t* p) { return LoadHalf(p); }
  ADDEND_TARGET static Floats Values(const uint16_t* p, size_t n) { return LoadHalf(p, n); }
};
struct BF16Row {
  using Element = uint16_t;
  ADDEND_TARGET static Floats Values(const uint16_t* p) { return LoadBFloat16(p); }
  ADDEND_TARGET static Floats Values(const uint16_t* p, size_t n) { return LoadBFloat16(p, n); }
};

// Block types: 32 elements q with a half-precision scale d in front, and behind it the minimum where there is
// one (ggml's block_q8_0, block_q4_0, ...). An element is d * q + offset; q is centred at 0 here in every
// type.
constexpr size_t kBlockElements = 32;

ADDEND_TARGET inline Floats HalfAt(const std::byte* p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  return SetHalf(half);
}
// q - 8 of elements i, i + 1, ... of nibbles: the low ones are the first 16 elements, the high ones the
// others.
ADDEND_TARGET inline Floats Nibbles(const std::byte* block, size_t i) {
  const uint8_t* nibbles = reinterpret_cast<const uint8_t*>(block) + i % 16;
  return i < 16 ? LoadLowNibbles(nibbles) : LoadHighNibbles(nibbles);
}
// q - 16 of elements of 5 bits: the fifth ones in front of the nibbles.
ADDEND_TARGET inline Floats FiveBits(const std::byte* block, size_t i) {
  uint32_t high;
  std::memcpy(&high, block, sizeof high);
  return Nibbles(block + sizeof high, i) + ByBits(high >> i, -8, 8);
}

struct Q8_0Block {
  static constexpr size_t kBytes = 34;
  static constexpr float kCentre = 0;  // what is missing in Values, times the scale; 0: no minimum either
  ADDEND_TARGET static Floats Values(const std::byte* block, size_t i) {
    return LoadInt8(reinterpret_cast<const int8_t*>(block) + 2 + i);
  }
};
struct Q4_0Block {
  static constexpr size_t kBytes = 18;
  static constexpr float kCentre = 0;
  ADDEND_TARGET static Floats Values(const std::byte* block, size_t i) { return Nibbles(block + 2, i); }
};
struct Q4_1Block {
  static constexpr size_t kBytes = 20;
  static constexpr float kCentre = 8;
  ADDEND_TARGET static Floats Values(const std::byte* block, size_t i) { return Nibbles(block + 4, i); }
};
struct Q5_0Block {
  static constexpr size_t kBytes = 22;
  static constexpr float kCentre = 0;
  ADDEND_TARGET static Floats Values(const std::byte* block, size_t i) { return FiveBits(block + 2, i); }
};
struct Q5_1Block {
  static constexpr size_t kBytes = 24;
  static constexpr float kCentre = 16;
  ADDEND_TARGET static Floats Values(const std::byte* block, size_t i) { return FiveBits(block + 4, i); }
};

// y[t] = row . x[t] for kTokens tokens at `x`, `stride` apart.
template <typename Row, size_t kTokens>
ADDEND_TARGET void DotPlain(const std::byte* bytes, const float* x, size_t stride, size_t cols, float* y) {
  const auto* row = reinterpret_cast<const typename Row::Element*>(bytes);
  Floats sums[kTokens][2] = {};  // two, to hide some of the latency of the additions
  size_t c = 0;
  for (; c + 2 * kWidth <= cols; c += 2 * kWidth) {
    const Floats w0 = Row::Values(row + c), w1 = Row::Values(row + c + kWidth);
    for (size_t t = 0; t < kTokens; ++t) {
      sums[t][0] = MultiplyAdd(w0, Load(x + t * stride + c), sums[t][0]);
      sums[t][1] = MultiplyAdd(w1, Load(x + t * stride + c + kWidth), sums[t][1]);
    }
  }
  for (; c < cols; c += kWidth) {
    const size_t n = std::min(kWidth, cols - c);
    const Floats w = n == kWidth ? Row::Values(row + c) : Row::Values(row + c, n);
    for (size_t t = 0; t < kTokens; ++t) {
      const float* p = x + t * stride + c;
      sums[t][0] = MultiplyAdd(w, n == kWidth ? Load(p) : Load(p, n), sums[t][0]);
    }
  }
  for (size_t t = 0; t < kTokens; ++t) y[t] = Sum(sums[t][0] + sums[t][1]);
}

template <typename Block, size_t kTokens>
ADDEND_TARGET void DotBlocks(const std::byte* row, const float* x, size_t stride, size_t cols, float* y) {
  constexpr bool kHasMinimum = Block::kCentre != 0;
  Floats sums[kTokens] = {};
  for (size_t c = 0; c < cols; c += kBlockElements, row += Block::kBytes) {
    const Floats scale = HalfAt(row);
    Floats offset = {};
    if constexpr (kHasMinimum) offset = MultiplyAdd(scale, Set(Block::kCentre), HalfAt(row + 2));
    Floats products[kTokens] = {};
    for (size_t i = 0; i < kBlockElements; i += kWidth) {
      Floats w = Block::Values(row, i);
      if constexpr (kHasMinimum) w = MultiplyAdd(w, scale, offset);
      for (size_t t = 0; t < kTokens; ++t)
        products[t] = MultiplyAdd(w, Load(x + t * stride + c + i), products[t]);
    }
    // Without a minimum, one product with the scale serves all of a block.
    for (size_t t = 0; t < kTokens; ++t)
      sums[t] = kHasMinimum ? sums[t] + products[t] : MultiplyAdd(products[t], scale, sums[t]);
  }
  for (size_t t = 0; t < kTokens; ++t) y[t] = Sum(sums[t]);
}

using DotFunction = void (*)(const std::byte* row, const float* x, size_t stride, size_t cols, float* y);

// All rows, with `four` and `one` token at a time. A token's outputs are gathered for 16 rows before they are
// stored: the rows of y often lie a multiple of 4096 bytes apart, and single stores to them would drive each
// other out of the cache.
ADDEND_TARGET inline void DenseRows(const std::byte* rows, size_t row_bytes, ConstMatrixView x, MatrixView y,
                                    DotFunction four, DotFunction one) {
  constexpr size_t kRows = 16;
  for (size_t first = 0; first < y.cols; first += kRows) {
    const size_t count = std::min(kRows, y.cols - first);
    for (size_t t = 0; t < x.rows;) {
      const size_t tokens = t + 4 <= x.rows ? 4 : 1;
      float dots[kRows][4];
      for (size_t r = 0; r < count; ++r) {
        const std::byte* row = rows + (first + r) * row_bytes;
        if (t == 0) PrefetchAhead(row, row_bytes);
        (tokens == 4 ? four : one)(row, x.Row(t).data(), x.stride, x.cols, dots[r]);
      }
      for (size_t k = 0; k < tokens; ++k) {
        for (size_t r = 0; r < count; ++r) y(t + k, first + r) = dots[r][k];
      }
      t += tokens;
    }
  }
}

template <typename Row>
ADDEND_TARGET void DensePlain(const std::byte* rows, ConstMatrixView x, MatrixView y) {
  DenseRows(rows, x.cols * sizeof(typename Row::Element), x, y, DotPlain<Row, 4>, DotPlain<Row, 1>);
}

template <typename Block>
ADDEND_TARGET void DenseBlocks(const std::byte* rows, ConstMatrixView x, MatrixView y) {
  DenseRows(rows, x.cols / kBlockElements * Block::kBytes, x, y, DotBlocks<Block, 4>, DotBlocks<Block, 1>);
}

}  // namespace addend::ADDEND_SIMD
