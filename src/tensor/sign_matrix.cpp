#include "tensor/sign_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace addend {
namespace {

// The words of a row are the bytes of a file.
static_assert(std::endian::native == std::endian::little);

// Bit c of word r <-> bit r of word c, by swapping ever smaller squares (Warren, Hacker's Delight, section
// 7-3).
void TransposeBits(std::array<uint64_t, 64>& words) {
  uint64_t low = 0x00000000ffffffffu;  // the lower half of each group of 2 * width bits
  for (size_t width = 32; width > 0; width /= 2, low ^= low << width) {
    for (size_t r = 0; r < 64; r = ((r | width) + 1) & ~width) {
      const uint64_t changed = ((words[r] >> width) ^ words[r + width]) & low;
      words[r] ^= changed << width;
      words[r + width] ^= changed;
    }
  }
}

}  // namespace

SignMatrix::SignMatrix(size_t rows, size_t cols)
    : rows_(rows), cols_(cols), words_per_row_((cols + 63) / 64), words_(rows * words_per_row_) {}

SignMatrix SignMatrix::FromDense(ConstMatrixView w) {
  SignMatrix result(w.rows, w.cols);
  for (size_t r = 0; r < w.rows; ++r) {
    for (size_t c = 0; c < w.cols; ++c) {
      if (std::isnan(w(r, c))) throw Error("sign of NaN at row ", r, ", column ", c);
      if (w(r, c) >= 0) result.Set(r, c, true);
    }
  }
  return result;
}

SignMatrix SignMatrix::Random(size_t rows, size_t cols, Rng& random) {
  SignMatrix result(rows, cols);
  for (uint64_t& word : result.words_) word = random.Next();
  result.ClearPadding();
  return result;
}

SignMatrix SignMatrix::FromBytes(std::span<const std::byte> bytes, size_t rows, size_t cols) {
  const size_t row_bytes = RowBytes(cols);
  if (bytes.size() != rows * row_bytes) {
    throw Error("signs of [", rows, ", ", cols, "] need ", rows * row_bytes, " bytes, found ", bytes.size());
  }
  SignMatrix result(rows, cols);
  for (size_t r = 0; r < rows; ++r) {
    const std::span<uint64_t> words = result.Row(r);
    if (row_bytes > 0) std::memcpy(words.data(), bytes.data() + r * row_bytes, row_bytes);
  }
  result.ClearPadding();
  return result;
}

std::vector<std::byte> SignMatrix::ToBytes() const {
  const size_t row_bytes = RowBytes(cols_);
  std::vector<std::byte> bytes(rows_ * row_bytes);
  if (row_bytes > 0) {
    for (size_t r = 0; r < rows_; ++r) std::memcpy(bytes.data() + r * row_bytes, Row(r).data(), row_bytes);
  }
  return bytes;
}

Matrix SignMatrix::ToDense() const {
  Matrix dense(rows_, cols_);
  for (size_t r = 0; r < rows_; ++r) {
    for (size_t c = 0; c < cols_; ++c) dense(r, c) = Sign(r, c);
  }
  return dense;
}

SignMatrix SignMatrix::Transposed() const {
  SignMatrix result(cols_, rows_);
  std::array<uint64_t, 64> block;
  for (size_t row = 0; row < rows_; row += 64) {
    for (size_t word = 0; word < words_per_row_; ++word) {
      for (size_t r = 0; r < 64; ++r) block[r] = row + r < rows_ ? Row(row + r)[word] : 0;
      TransposeBits(block);
      const size_t count = std::min<size_t>(64, cols_ - 64 * word);
      for (size_t c = 0; c < count; ++c) result.Row(64 * word + c)[row / 64] = block[c];
    }
  }
  return result;
}

void SignMatrix::ClearPadding() {
  if (cols_ % 64 == 0) return;
  for (size_t r = 0; r < rows_; ++r) Row(r).back() &= (uint64_t{1} << (cols_ % 64)) - 1;
}

}  // namespace addend
