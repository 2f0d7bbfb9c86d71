#include "tensor/sign_matrix.h"

#include <cmath>

#include "base/error.h"

namespace addend {

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

SignMatrix SignMatrix::FromBytes(std::span<const std::byte> bytes, size_t rows, size_t cols) {
  const size_t row_bytes = (cols + 7) / 8;
  if (bytes.size() != rows * row_bytes) {
    throw Error("signs of [", rows, ", ", cols, "] need ", rows * row_bytes, " bytes, found ", bytes.size());
  }
  SignMatrix result(rows, cols);
  for (size_t r = 0; r < rows; ++r) {
    std::span<uint64_t> words = result.Row(r);
    for (size_t i = 0; i < row_bytes; ++i) {
      words[i / 8] |= std::to_integer<uint64_t>(bytes[r * row_bytes + i]) << (i % 8 * 8);
    }
    if (cols % 64 != 0) words.back() &= (uint64_t{1} << (cols % 64)) - 1;
  }
  return result;
}

std::vector<std::byte> SignMatrix::ToBytes() const {
  const size_t row_bytes = (cols_ + 7) / 8;
  std::vector<std::byte> bytes(rows_ * row_bytes);
  for (size_t r = 0; r < rows_; ++r) {
    const std::span<const uint64_t> words = Row(r);
    for (size_t i = 0; i < row_bytes; ++i) {
      bytes[r * row_bytes + i] = static_cast<std::byte>(words[i / 8] >> (i % 8 * 8));
    }
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
  for (size_t r = 0; r < rows_; ++r) {
    for (size_t c = 0; c < cols_; ++c) {
      if (IsPlus(r, c)) result.Set(c, r, true);
    }
  }
  return result;
}

}  // namespace addend
