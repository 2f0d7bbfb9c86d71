// Products of float matrices whose entries are rounded to bfloat16 (8 bits of precision), with float32 sums:
// twice as fast as products of floats, for gradients, where noise of 0.4 % in each factor does not matter.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

// Does the target in use have them? (AVX-512 with BF16: Cooper Lake, Sapphire Rapids, Zen 4 and later.) What
// is below is for such a target only.
bool HasBf16Product();

// The right factor of products, rounded and laid out: (depth, cols).
class PackedBf16 {
 public:
  // Panels of so many columns lie one after the other; within one, pairs of rows. Padded with zeros.
  static constexpr size_t kPanel = 64;

  PackedBf16() = default;
  // b: (depth, cols).
  static PackedBf16 Pack(ConstMatrixView b, ThreadPool& pool);
  // b: (cols, depth).
  static PackedBf16 PackTransposed(ConstMatrixView b, ThreadPool& pool);

  bool empty() const { return cols_ == 0; }
  size_t depth() const { return depth_; }
  size_t cols() const { return cols_; }
  size_t pairs() const { return (depth_ + 1) / 2; }
  size_t panels() const { return (cols_ + kPanel - 1) / kPanel; }
  size_t PanelCols(size_t i) const { return std::min(kPanel, cols_ - i * kPanel); }
  // `pairs()` rows of kPanel words; a word holds rows 2 k (low half) and 2 k + 1 of one column.
  const uint32_t* Panel(size_t i) const { return words_.data() + i * pairs() * kPanel; }

 private:
  PackedBf16(size_t depth, size_t cols);
  size_t depth_ = 0, cols_ = 0;
  AlignedVector<uint32_t> words_;
};

// c = a b + beta c, or a^T b + beta c.   a: (rows, depth), or (depth, rows) for the second; c: (rows, cols).
// beta: 0 or 1. The result is the same for any number of threads. Throws Error when the shapes do not fit.
void Bf16Product(ConstMatrixView a, const PackedBf16& b, MatrixView c, float beta, ThreadPool& pool);
void Bf16ProductTransposed(ConstMatrixView a, const PackedBf16& b, MatrixView c, float beta,
                           ThreadPool& pool);

}  // namespace addend
