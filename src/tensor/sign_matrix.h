// A matrix of +1 and -1, one bit each: the storage of every binary factor.
// Layout: row-major; bit (c % 64) of word c / 64 of a row is 1 for +1. The bits past cols() in a row's last
// word are 0, so XOR and popcount over whole words are exact. No tile or lane width is baked in: kernels
// repack (kernels/).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "tensor/matrix.h"

namespace addend {

class SignMatrix {
 public:
  SignMatrix() = default;
  SignMatrix(size_t rows, size_t cols);  // all -1

  // sign(w), zero counting as +1. Throws Error at the first NaN.
  static SignMatrix FromDense(ConstMatrixView w);
  static SignMatrix Random(size_t rows, size_t cols, Rng& random);
  // From the bytes of a file (docs/format.md): rows of ceil(cols / 8) bytes, bit c % 8 of byte c / 8 is 1 for
  // +1. Throws Error unless bytes.size() == rows * ceil(cols / 8). Stray bits past cols() are cleared.
  static SignMatrix FromBytes(std::span<const std::byte> bytes, size_t rows, size_t cols);
  std::vector<std::byte> ToBytes() const;
  static size_t RowBytes(size_t cols) { return (cols + 7) / 8; }  // of a row there

  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  size_t words_per_row() const { return words_per_row_; }  // ceil(cols / 64)

  std::span<uint64_t> Row(size_t r) { return {words_.data() + r * words_per_row_, words_per_row_}; }
  std::span<const uint64_t> Row(size_t r) const {
    return {words_.data() + r * words_per_row_, words_per_row_};
  }

  bool IsPlus(size_t r, size_t c) const { return (words_[r * words_per_row_ + c / 64] >> (c % 64)) & 1; }
  float Sign(size_t r, size_t c) const { return IsPlus(r, c) ? 1.0f : -1.0f; }
  void Set(size_t r, size_t c, bool plus) {
    const uint64_t bit = uint64_t{1} << (c % 64);
    uint64_t& word = words_[r * words_per_row_ + c / 64];
    word = plus ? word | bit : word & ~bit;
  }

  Matrix ToDense() const;  // +1.0f and -1.0f
  SignMatrix Transposed() const;
  bool operator==(const SignMatrix&) const = default;

 private:
  void ClearPadding();  // the bits past cols()

  size_t rows_ = 0, cols_ = 0, words_per_row_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace addend
