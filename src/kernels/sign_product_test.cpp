#include "kernels/sign_product.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "kernels/every_target_test.h"
#include "kernels/reference.h"
#include "kernels/test_inputs.h"

namespace addend {
namespace {

using reference::DoubleMatrix;

class SignProductOn : public OnEveryTarget {
 protected:
  Matrix Product(const SignMatrix& signs, ConstMatrixView x, Precision precision = Precision::kNear) {
    Matrix y(x.rows, signs.rows());
    SignProduct(PackedSigns(signs), x, y, pool_, precision);
    return y;
  }
  ThreadPool pool_{1};
};
INSTANTIATE_TEST_SUITE_P(EveryTarget, SignProductOn, AllTargets(), TargetName);

double SumOfMagnitudes(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += std::abs(v);
  return sum;
}

// Small integers whose sums are exact at every precision: any difference is a sign or a column mixed up.
TEST_P(SignProductOn, PutsEveryColumnInItsPlace) {
  constexpr size_t kCols = 200;
  Rng rng(1);
  const SignMatrix signs = SignMatrix::Random(70, kCols, rng);
  for (const size_t tokens : {1, 40}) {
    for (size_t c = 0; c < kCols; ++c) {
      Matrix x(tokens, kCols);
      for (size_t t = 0; t < tokens; ++t) x(t, c) = 1;
      const Matrix y = Product(signs, x);
      for (size_t t = 0; t < tokens; ++t) {
        for (size_t r = 0; r < signs.rows(); ++r)
          ASSERT_NEAR(y(t, r), signs.Sign(r, c), 1e-3) << tokens << " " << r << " " << c;
      }
    }
  }
}

// Every table entry and every pair of activations is off by at most half a step. Few tokens: a step is the
// largest sum of four magnitudes within 256 columns over 8191, one entry for 4 columns. Many: the sum of 64
// magnitudes over 32750, one pair for 2. Both are at most cols / 4 * |x|_1 / 8191 together; float32 sums add
// cols * 2^-24 * |x|_1.
TEST_P(SignProductOn, StaysWithinTheLargestPossibleError) {
  Rng rng(2);
  for (const size_t rows : {1, 31, 33, 100}) {
    for (const size_t cols : {1, 3, 4, 5, 63, 64, 65, 255, 256, 257, 399}) {
      for (const size_t tokens : {1, 2, 16, 17, 32, 33, 50}) {
        const SignMatrix signs = SignMatrix::Random(rows, cols, rng);
        const Matrix x = Activations(tokens, cols, rng);
        const Matrix near = Product(signs, x), exact = Product(signs, x, Precision::kExact);
        const DoubleMatrix expected = reference::SignProduct(signs, x);
        for (size_t t = 0; t < tokens; ++t) {
          const double magnitude = SumOfMagnitudes(x.Row(t)), n = static_cast<double>(cols) + 4;
          for (size_t r = 0; r < rows; ++r) {
            ASSERT_NEAR(near(t, r), expected(t, r), n / 8 * magnitude / 8191)
                << rows << "x" << cols << ", " << tokens;
            ASSERT_NEAR(exact(t, r), expected(t, r), n * 0x1p-24 * magnitude)
                << rows << "x" << cols << ", " << tokens;
          }
        }
      }
    }
  }
}

TEST_P(SignProductOn, KeepsZerosAndNegativeZerosZero) {
  Rng rng(3);
  const SignMatrix signs = SignMatrix::Random(40, 100, rng);
  for (const size_t tokens : {1, 40}) {
    Matrix x(tokens, 100);
    for (size_t i = 0; i < x.size(); i += 2) x.values()[i] = -0.0f;
    const Matrix y = Product(signs, x);
    EXPECT_THAT(y.values(), testing::Each(0.0f));
  }
}

TEST_P(SignProductOn, TreatsDenormalsAsAlmostNothing) {
  Rng rng(4);
  const SignMatrix signs = SignMatrix::Random(40, 100, rng);
  for (const size_t tokens : {1, 40}) {
    Matrix x(tokens, 100);
    for (float& v : x.values()) v = rng.Normal() * 1e-39f;
    const Matrix y = Product(signs, x);
    for (const float v : y.values()) EXPECT_LT(std::abs(v), 1e-36);
  }
}

TEST_P(SignProductOn, ScalesWithHugeAndTinyInputs) {
  Rng rng(5);
  const SignMatrix signs = SignMatrix::Random(40, 300, rng);
  const Matrix x = NormalMatrix(40, 300, rng);
  const Matrix y = Product(signs, x);
  for (const float factor : {0x1p-60f, 0x1p90f}) {  // powers of two: nothing else changes
    Matrix scaled = x;
    for (float& v : scaled.values()) v *= factor;
    const Matrix scaled_y = Product(signs, scaled);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_NEAR(scaled_y.values()[i] / factor, y.values()[i], 1e-5 * (1 + std::abs(y.values()[i])));
    }
  }
}

TEST_P(SignProductOn, ShowsValuesThatAreNotFiniteInTheirTokenOnly) {
  Rng rng(6);
  const SignMatrix signs = SignMatrix::Random(40, 100, rng);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const size_t tokens : {3, 40}) {
      Matrix x = NormalMatrix(tokens, 100, rng);
      x(1, 77) = bad;
      const Matrix y = Product(signs, x);
      for (size_t t = 0; t < tokens; ++t) {
        for (const float v : y.Row(t))
          EXPECT_EQ(std::isfinite(v), t != 1) << tokens << " tokens, token " << t;
      }
    }
  }
}

TEST_P(SignProductOn, IsTheSameForAnyNumberOfThreads) {
  Rng rng(7);
  const SignMatrix signs = SignMatrix::Random(300, 1000, rng);  // more than one task
  const PackedSigns packed(signs);
  for (const size_t tokens : {1, 16, 33, 100}) {
    const Matrix x = Activations(tokens, signs.cols(), rng);
    Matrix expected(tokens, signs.rows());
    SignProduct(packed, x, expected, pool_);
    for (const size_t threads : {2, 3}) {
      ThreadPool pool(threads);
      Matrix y(tokens, signs.rows());
      SignProduct(packed, x, y, pool);
      EXPECT_TRUE(std::equal(y.values().begin(), y.values().end(), expected.values().begin()))
          << tokens << ", " << threads;
    }
  }
}

TEST_P(SignProductOn, ReadsAndWritesOnlyTheViews) {
  Rng rng(8);
  const SignMatrix signs = SignMatrix::Random(37, 70, rng);
  for (const size_t tokens : {2, 40}) {
    const Matrix wide_x = NormalMatrix(tokens, 90, rng);
    Matrix wide_y(tokens, 60);
    std::fill(wide_y.values().begin(), wide_y.values().end(), 5.0f);
    const ConstMatrixView x = wide_x.view().Cols(11, 70);
    SignProduct(PackedSigns(signs), x, wide_y.view().Cols(9, 37), pool_);
    const DoubleMatrix expected = reference::SignProduct(signs, x);
    for (size_t t = 0; t < tokens; ++t) {
      for (size_t c = 0; c < 60; ++c) {
        if (c < 9 || c >= 46) {
          EXPECT_EQ(wide_y(t, c), 5);
        } else {
          EXPECT_NEAR(wide_y(t, c), expected(t, c - 9), 0.1);
        }
      }
    }
  }
}

TEST_P(SignProductOn, AppliesAFactoredWeight) {
  Rng rng(9);
  for (const size_t rank : {1, 64, 100}) {
    const FactoredWeight weight = {SignMatrix::Random(45, rank, rng), SignMatrix::Random(rank, 70, rng),
                                   NormalVector(45, rng), NormalVector(rank, rng), NormalVector(70, rng)};
    WeightMemory memory;
    const PackedFactors packed(weight, memory);
    EXPECT_EQ(packed.outputs(), 45u);
    EXPECT_EQ(packed.inputs(), 70u);
    for (const size_t tokens : {1, 5, 40}) {
      const Matrix x = NormalMatrix(tokens, 70, rng);
      Matrix y(tokens, 45);
      packed.Apply(x, y, pool_, Precision::kExact);
      const DoubleMatrix expected = reference::Apply(weight, x);
      for (size_t i = 0; i < y.size(); ++i) {
        EXPECT_NEAR(y.values()[i], expected.values[i], 1e-5 * (100 + std::abs(expected.values[i])));
      }
    }
  }
}

TEST_P(SignProductOn, TakesEmptyMatrices) {
  EXPECT_EQ(Product(SignMatrix(0, 5), Matrix(3, 5)).size(), 0u);
  const Matrix zeros = Product(SignMatrix(4, 0), Matrix(3, 0));
  EXPECT_THAT(zeros.values(), testing::Each(0.0f));
  EXPECT_EQ(Product(SignMatrix(4, 5), Matrix(0, 5)).size(), 0u);
}

TEST_P(SignProductOn, RefusesShapesThatDoNotFit) {
  const PackedSigns signs(SignMatrix(4, 6));
  Matrix x(2, 6), y(2, 4), narrow(2, 3), short_y(1, 4);
  EXPECT_THROW(SignProduct(signs, narrow, y, pool_), Error);
  EXPECT_THROW(SignProduct(signs, x, narrow, pool_), Error);
  EXPECT_THROW(SignProduct(signs, x, short_y, pool_), Error);
}

}  // namespace
}  // namespace addend
