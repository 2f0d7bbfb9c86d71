#include "tensor/matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/error.h"

namespace addend {
namespace {

Matrix Counting(size_t rows, size_t cols) {
  Matrix m(rows, cols);
  for (size_t i = 0; i < m.size(); ++i) m.values()[i] = static_cast<float>(i);
  return m;
}

TEST(Matrix, StartsWithZerosAndIsAligned) {
  const Matrix m(5, 7);
  for (const float value : m.values()) EXPECT_EQ(value, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % 64, 0u);
}

TEST(Matrix, ListMustFillTheShape) {
  EXPECT_EQ((Matrix(2, 2, {1, 2, 3, 4})(1, 0)), 3);
  EXPECT_THROW(Matrix(2, 2, {1, 2, 3}), Error);
}

TEST(Matrix, ViewsOfPartsKeepTheStride) {
  Matrix m = Counting(5, 7);
  const MatrixView part = m.view().Rows(1, 3).Cols(2, 4);
  EXPECT_EQ(part.rows, 3u);
  EXPECT_EQ(part.cols, 4u);
  EXPECT_EQ(part(2, 3), 3 * 7 + 5);
  part.Row(0)[0] = -1;
  EXPECT_EQ(m(1, 2), -1);
  const ConstMatrixView same = ConstMatrixView(m).Cols(2, 4).Rows(1, 3);
  EXPECT_EQ(&same.Row(2)[3], &m(3, 5));
}

TEST(Matrix, TransposeAroundTheTileSize) {
  for (const size_t rows : {1, 31, 32, 33, 70}) {
    for (const size_t cols : {1, 31, 32, 33, 65}) {
      const Matrix m = Counting(rows, cols);
      const Matrix t = Transpose(m);
      ASSERT_EQ(t.rows(), cols);
      ASSERT_EQ(t.cols(), rows);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < cols; ++c) ASSERT_EQ(t(c, r), m(r, c)) << rows << " x " << cols;
      }
    }
  }
}

TEST(Matrix, TransposeOfAStridedViewAndOfNothing) {
  const Matrix m = Counting(4, 9);
  const Matrix t = Transpose(m.view().Cols(3, 2));
  EXPECT_EQ(t(1, 3), m(3, 4));
  EXPECT_TRUE(Transpose(Matrix(0, 3)).empty());
}

TEST(Matrix, ReshapeSetsTheShape) {
  Matrix m = Counting(2, 3);
  m.Reshape(4, 5);
  EXPECT_EQ(m.rows(), 4u);
  EXPECT_EQ(m.Row(3).size(), 5u);
  m.SetZero();
  EXPECT_EQ(m(3, 4), 0);
}

TEST(FirstNonFinite, FindsNanAndInfinity) {
  std::vector<float> values(10, 1.0f);
  EXPECT_EQ(FirstNonFinite(values), 10u);
  values[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(FirstNonFinite(values), 7u);
  values[2] = std::nanf("");
  EXPECT_EQ(FirstNonFinite(values), 2u);
  EXPECT_EQ(FirstNonFinite({}), 0u);
}

}  // namespace
}  // namespace addend
