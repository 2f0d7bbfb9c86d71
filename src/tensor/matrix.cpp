#include "tensor/matrix.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace addend {

Matrix::Matrix(size_t rows, size_t cols, std::initializer_list<float> values)
    : rows_(rows), cols_(cols), values_(values) {
  if (values.size() != rows * cols) {
    throw Error("a ", rows, " x ", cols, " matrix needs ", rows * cols, " values, found ", values.size());
  }
}

void CopyRows(ConstMatrixView from, MatrixView to) {
  for (size_t r = 0; r < from.rows; ++r) std::ranges::copy(from.Row(r), to.Row(r).begin());
}

Matrix Transpose(ConstMatrixView m) {
  Matrix result(m.cols, m.rows);
  constexpr size_t kTile = 32;  // two tiles of floats fit L1
  for (size_t r0 = 0; r0 < m.rows; r0 += kTile) {
    for (size_t c0 = 0; c0 < m.cols; c0 += kTile) {
      const size_t r1 = std::min(m.rows, r0 + kTile), c1 = std::min(m.cols, c0 + kTile);
      for (size_t r = r0; r < r1; ++r) {
        for (size_t c = c0; c < c1; ++c) result(c, r) = m(r, c);
      }
    }
  }
  return result;
}

size_t FirstNonFinite(std::span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return i;
  }
  return values.size();
}

}  // namespace addend
