#include "linalg/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace addend {
namespace {

Matrix RandomMatrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix m(rows, cols);
  Rng rng(seed);
  for (float& value : m.values()) value = rng.Normal();
  return m;
}

float At(Op op, ConstMatrixView m, size_t r, size_t c) {
  return op == Op::kNone ? m(r, c) : m(c, r);
}

struct Shape {
  size_t rows, cols, depth;
};

// Around one vector, the chunks of 192 that threads share, and a product that is all depth.
constexpr Shape kShapes[] = {{1, 1, 1}, {3, 5, 7}, {1, 200, 17}, {193, 31, 64}, {65, 391, 33}, {2, 2, 1000}};

// Views into the middle of wider matrices, so that a mixed-up stride shows.
constexpr size_t kMargin = 3;

TEST(Gemm, AgreesWithDoubleForAllTransposesStridesAndFactors) {
  ThreadPool pool(2);
  for (const Shape& shape : kShapes) {
    for (const Op op_a : {Op::kNone, Op::kTranspose}) {
      for (const Op op_b : {Op::kNone, Op::kTranspose}) {
        const auto view = [](const Matrix& wide) {
          return wide.view().Cols(kMargin, wide.cols() - 2 * kMargin);
        };
        const auto operand = [&](Op op, size_t rows, size_t cols, uint64_t seed) {
          return op == Op::kNone ? RandomMatrix(rows, cols + 2 * kMargin, seed)
                                 : RandomMatrix(cols, rows + 2 * kMargin, seed);
        };
        const Matrix wide_a = operand(op_a, shape.rows, shape.depth, 1),
                     wide_b = operand(op_b, shape.depth, shape.cols, 2);
        const Matrix before = RandomMatrix(shape.rows, shape.cols + 2 * kMargin, 3);
        Matrix after = before;
        Gemm(op_a, view(wide_a), op_b, view(wide_b), after.view().Cols(kMargin, shape.cols), pool, 0.5f,
             -2.0f);
        for (size_t i = 0; i < shape.rows; ++i) {
          for (size_t j = 0; j < after.cols(); ++j) {
            if (j < kMargin || j >= kMargin + shape.cols) {
              ASSERT_EQ(after(i, j), before(i, j)) << "outside of the view";
              continue;
            }
            double sum = -2.0 * before(i, j), magnitude = std::abs(sum);
            for (size_t k = 0; k < shape.depth; ++k) {
              const double term = 0.5 * At(op_a, view(wide_a), i, k) * At(op_b, view(wide_b), k, j - kMargin);
              sum += term;
              magnitude += std::abs(term);
            }
            // One rounding for each of depth + 2 terms and factors.
            ASSERT_NEAR(after(i, j), sum, (shape.depth + 3) * 0x1p-24 * magnitude)
                << shape.rows << "x" << shape.cols << "x" << shape.depth << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

TEST(Gemm, IsTheSameForAnyNumberOfThreads) {
  const Matrix a = RandomMatrix(500, 130, 1), b = RandomMatrix(130, 300, 2);
  ThreadPool one(1), three(3);
  Matrix c1(500, 300), c3(500, 300), t1(300, 500), t3(300, 500);
  Gemm(Op::kNone, a, Op::kNone, b, c1, one);
  Gemm(Op::kNone, a, Op::kNone, b, c3, three);
  Gemm(Op::kTranspose, b, Op::kTranspose, a, t1, one);
  Gemm(Op::kTranspose, b, Op::kTranspose, a, t3, three);
  EXPECT_THAT(c3.values(), testing::ElementsAreArray(c1.values()));
  EXPECT_THAT(t3.values(), testing::ElementsAreArray(t1.values()));
}

TEST(Gemm, IsTheSameFromSeveralThreadsAtOnce) {
  const Matrix a = RandomMatrix(200, 150, 1), b = RandomMatrix(150, 170, 2);
  ThreadPool one(1), many(4);
  Matrix expected(200, 170);
  Gemm(Op::kNone, a, Op::kNone, b, expected, one);
  std::vector<Matrix> results(64, Matrix(200, 170));
  many.For(results.size(), [&](size_t i) { Gemm(Op::kNone, a, Op::kNone, b, results[i], one); });
  for (const Matrix& result : results)
    ASSERT_THAT(result.values(), testing::ElementsAreArray(expected.values()));
}

TEST(Gemm, BetaZeroOverwritesNaNAndEmptyDepthScales) {
  ThreadPool pool(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Matrix c(1, 2, {nan, nan});
  Gemm(Op::kNone, Matrix(1, 1, {2}), Op::kNone, Matrix(1, 2, {3, 4}), c, pool);
  EXPECT_THAT(c.values(), testing::ElementsAre(6, 8));
  Gemm(Op::kNone, Matrix(1, 0), Op::kNone, Matrix(0, 2), c, pool, 1, 0.5f);
  EXPECT_THAT(c.values(), testing::ElementsAre(3, 4));
  c(0, 0) = nan;
  Gemm(Op::kNone, Matrix(1, 0), Op::kNone, Matrix(0, 2), c, pool);
  EXPECT_THAT(c.values(), testing::ElementsAre(0, 0));
  Matrix none(0, 2);
  EXPECT_NO_THROW(Gemm(Op::kNone, Matrix(0, 3), Op::kNone, Matrix(3, 2), none, pool));
}

TEST(Gemm, NamesShapesThatDoNotFit) {
  ThreadPool pool(1);
  Matrix c(2, 2);
  try {
    Gemm(Op::kNone, Matrix(2, 3), Op::kNone, Matrix(4, 2), c, pool);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("[2, 3] x [4, 2] does not give [2, 2]"));
  }
  EXPECT_THROW(AddGram(Matrix(5, 3), 1, c, pool), Error);
}

TEST(AddGram, AgreesWithDoubleAndFillsBothTriangles) {
  for (const Shape& shape : kShapes) {
    const Matrix a = RandomMatrix(shape.depth, shape.cols, 5);
    ThreadPool one(1), three(3);
    Matrix c(shape.cols, shape.cols), again = c;
    for (size_t i = 0; i < shape.cols; ++i) c(i, i) = again(i, i) = 1;
    AddGram(a, 0.25f, c, one);
    AddGram(a, 0.25f, again, three);
    EXPECT_THAT(again.values(), testing::ElementsAreArray(c.values()));
    Matrix of_rows(shape.cols, shape.cols);
    for (size_t i = 0; i < shape.cols; ++i) of_rows(i, i) = 1;
    AddRowGram(Transpose(a), 0.25f, of_rows, one);
    for (size_t i = 0; i < shape.cols; ++i) {
      for (size_t j = 0; j < shape.cols; ++j) {
        double sum = i == j, magnitude = sum;
        for (size_t k = 0; k < shape.depth; ++k) {
          const double term = 0.25 * a(k, i) * a(k, j);
          sum += term;
          magnitude += std::abs(term);
        }
        ASSERT_NEAR(c(i, j), sum, (shape.depth + 3) * 0x1p-24 * magnitude);
        ASSERT_NEAR(of_rows(i, j), sum, (shape.depth + 3) * 0x1p-24 * magnitude);
        ASSERT_EQ(c(i, j), c(j, i));
      }
    }
  }
}

TEST(CheckBlas, FindsTheLibraryRight) {
  EXPECT_EQ(CheckBlas(), "");
  EXPECT_NE(BlasKernels(), "");
}

}  // namespace
}  // namespace addend
