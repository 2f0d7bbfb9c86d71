#include "kernels/bf16_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/test_inputs.h"

namespace addend {
namespace {

Matrix Transposed(const Matrix& m) {
  Matrix t(m.cols(), m.rows());
  for (size_t r = 0; r < m.rows(); ++r) {
    for (size_t c = 0; c < m.cols(); ++c) t(c, r) = m(r, c);
  }
  return t;
}

// c = a b + beta c0 within what rounding both factors to 8 bits allows.
void ExpectProduct(const Matrix& a, const Matrix& b, const Matrix& c, double c0) {
  for (size_t i = 0; i < a.rows(); ++i) {
    for (size_t j = 0; j < b.cols(); ++j) {
      double exact = c0, magnitude = std::abs(c0);
      for (size_t k = 0; k < b.rows(); ++k) {
        const double term = static_cast<double>(a(i, k)) * b(k, j);
        exact += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(c(i, j), exact, magnitude * 0x1.02p-7 + 1e-6) << i << ", " << j;
    }
  }
}

class Bf16ProductTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasBf16Product()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  }
  ThreadPool pool_{2};
};

TEST_F(Bf16ProductTest, MatchesDoublePrecisionAtAwkwardSizes) {
  Rng rng(1);
  const size_t shapes[][3] = {{1, 1, 1},      {7, 3, 65},     {6, 64, 64},
                              {125, 33, 130}, {13, 1030, 17}, {250, 576, 63}};
  for (const auto& [rows, depth, cols] : shapes) {
    SCOPED_TRACE(testing::Message() << rows << " x " << depth << " x " << cols);
    const Matrix a = Activations(rows, depth, rng), b = NormalMatrix(depth, cols, rng);
    const Matrix at = Transposed(a), bt = Transposed(b);
    const PackedBf16 packed = PackedBf16::Pack(b, pool_), packed_t = PackedBf16::PackTransposed(bt, pool_);
    for (const PackedBf16* right : {&packed, &packed_t}) {
      EXPECT_EQ(right->depth(), depth);
      EXPECT_EQ(right->cols(), cols);
      Matrix c(rows, cols);
      for (float& value : c.values()) value = std::nanf("");
      Bf16Product(a, *right, c, 0, pool_);
      ExpectProduct(a, b, c, 0);
      for (float& value : c.values()) value = 2.5f;
      Bf16ProductTransposed(at, *right, c, 1, pool_);
      ExpectProduct(a, b, c, 2.5);
    }
  }
}

TEST_F(Bf16ProductTest, PartsOfLargerMatrices) {
  Rng rng(2);
  const Matrix a = NormalMatrix(20, 50, rng), b = NormalMatrix(40, 90, rng);
  Matrix c(20, 70), part_a(8, 31), part_b(31, 66), part_c(8, 66);
  const PackedBf16 packed = PackedBf16::Pack(b.view().Rows(3, 31).Cols(5, 66), pool_);
  Bf16Product(a.view().Rows(2, 8).Cols(11, 31), packed, c.view().Rows(1, 8).Cols(2, 66), 0, pool_);
  for (size_t r = 0; r < 8; ++r) {
    for (size_t k = 0; k < 31; ++k) part_a(r, k) = a(2 + r, 11 + k);
    for (size_t j = 0; j < 66; ++j) part_c(r, j) = c(1 + r, 2 + j);
  }
  for (size_t k = 0; k < 31; ++k) {
    for (size_t j = 0; j < 66; ++j) part_b(k, j) = b(3 + k, 5 + j);
  }
  ExpectProduct(part_a, part_b, part_c, 0);
  EXPECT_EQ(c(0, 2), 0);
  EXPECT_EQ(c(1, 1), 0);
  EXPECT_EQ(c(1, 68), 0);
}

TEST_F(Bf16ProductTest, SameForAnyNumberOfThreads) {
  Rng rng(3);
  const Matrix a = NormalMatrix(300, 100, rng), b = NormalMatrix(100, 200, rng);
  Matrix one(300, 200), five(300, 200);
  ThreadPool single(1), many(5);
  Bf16Product(a, PackedBf16::Pack(b, single), one, 0, single);
  Bf16Product(a, PackedBf16::Pack(b, many), five, 0, many);
  EXPECT_TRUE(std::ranges::equal(one.values(), five.values()));
}

TEST_F(Bf16ProductTest, RefusesShapesThatDoNotFit) {
  const PackedBf16 b = PackedBf16::Pack(Matrix(3, 4), pool_);
  Matrix c(2, 4);
  EXPECT_THROW(Bf16Product(Matrix(2, 5), b, c, 0, pool_), Error);
  EXPECT_THROW(Bf16ProductTransposed(Matrix(2, 3), b, c, 0, pool_), Error);
  EXPECT_THROW(Bf16Product(Matrix(3, 3), b, c, 0, pool_), Error);
}

}  // namespace
}  // namespace addend
