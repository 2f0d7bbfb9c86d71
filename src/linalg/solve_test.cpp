#include "linalg/solve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

Matrix RandomMatrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix m(rows, cols);
  Rng rng(seed);
  for (float& value : m.values()) value = rng.Normal();
  return m;
}

// X^T X / rows + diagonal I of a random X with twice as many rows as columns: condition number below
// about 40.
Matrix RandomPositiveDefinite(size_t n, uint64_t seed, float diagonal = 0) {
  ThreadPool pool(1);
  Matrix a(n, n);
  for (size_t i = 0; i < n; ++i) a(i, i) = diagonal;
  AddGram(RandomMatrix(2 * n, n, seed), 1 / (2 * static_cast<float>(n)), a, pool);
  return a;
}

double Quadratic(const Matrix& a, std::span<const float> rhs, std::span<const float> x) {
  double value = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double row = 0;
    for (size_t j = 0; j < x.size(); ++j) row += static_cast<double>(a(i, j)) * x[j];
    value += x[i] * (row - 2.0 * rhs[i]);
  }
  return value;
}

// max |A x - rhs| / max |rhs|
double RelativeResidual(const Matrix& a, const Matrix& rhs, const Matrix& x) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < a.rows(); ++i) {
    for (size_t c = 0; c < x.cols(); ++c) {
      double sum = 0;
      for (size_t j = 0; j < a.cols(); ++j) sum += static_cast<double>(a(i, j)) * x(j, c);
      worst = std::max(worst, std::abs(sum - rhs(i, c)));
      largest = std::max(largest, std::abs(static_cast<double>(rhs(i, c))));
    }
  }
  return worst / largest;
}

TEST(Cholesky, SolvesManyRightHandSides) {
  ThreadPool one(1), three(3);
  for (const size_t n : {1, 2, 17, 130}) {
    for (const size_t columns : {1, 5, 401}) {
      const Matrix a = RandomPositiveDefinite(n, n), rhs = RandomMatrix(n, columns, 7);
      const Cholesky cholesky(a);
      Matrix x = rhs, again = rhs;
      cholesky.Solve(x, one);
      cholesky.Solve(again, three);
      EXPECT_LT(RelativeResidual(a, rhs, x), 1e-5) << n << ", " << columns;
      EXPECT_THAT(again.values(), testing::ElementsAreArray(x.values()));
    }
  }
}

TEST(Cholesky, FactorAndSingleSolveByHand) {
  // [4 2; 2 5] = L L^T with L = [2 0; 1 2]; A x = (8, 8) has the solution (1.5, 1). Above the diagonal
  // nothing is read.
  const Cholesky cholesky(Matrix(2, 2, {4, 1e9f, 2, 5}));
  EXPECT_EQ(cholesky.factor()(0, 0), 2);
  EXPECT_EQ(cholesky.factor()(1, 0), 1);
  EXPECT_EQ(cholesky.factor()(1, 1), 2);
  std::vector<float> x = {8, 8};
  cholesky.Solve(x);
  EXPECT_THAT(x, testing::ElementsAre(1.5f, 1.0f));
}

TEST(Cholesky, NamesTheBadPivot) {
  const auto message = [](Matrix a) {
    try {
      Cholesky{std::move(a)};
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(Matrix(2, 2, {1, 2, 2, 1})),
              testing::HasSubstr("not positive definite at pivot 1 of 2"));
  EXPECT_THAT(message(Matrix(2, 2, {0, 0, 0, 1})), testing::HasSubstr("pivot 0 of 2"));
  EXPECT_THAT(message(Matrix(1, 1, {NAN})), testing::HasSubstr("pivot 0 of 1"));
  EXPECT_THAT(message(Matrix(2, 3)), testing::HasSubstr("[2, 3]"));
  EXPECT_EQ(message(Matrix(0, 0)), "");
}

TEST(ConjugateGradient, ReachesTheSolution) {
  const size_t n = 60;
  const Matrix a = RandomPositiveDefinite(n, 3, 0.1f), rhs = RandomMatrix(n, 1, 4);
  Matrix x(n, 1);
  const size_t iterations = ConjugateGradient(a, rhs.values(), x.values(), 200, 1e-6);
  EXPECT_LT(iterations, n);
  EXPECT_LT(RelativeResidual(a, rhs, x), 1e-5);
}

TEST(ConjugateGradient, NeverMakesTheQuadraticWorse) {
  const size_t n = 40;
  ThreadPool pool(1);
  Matrix singular(n, n);  // rank 10
  AddGram(RandomMatrix(10, n, 5), 1, singular, pool);
  Matrix rhs(n, 1), start = RandomMatrix(n, 1, 6);
  Gemm(Op::kNone, singular, Op::kNone, RandomMatrix(n, 1, 7), rhs, pool);
  double previous = Quadratic(singular, rhs.values(), start.values());
  for (const size_t iterations : {1, 2, 5, 10, 20, 100}) {
    Matrix x = start;
    ConjugateGradient(singular, rhs.values(), x.values(), iterations, 1e-7);
    const double value = Quadratic(singular, rhs.values(), x.values());
    EXPECT_LE(value, previous + 1e-5 * std::abs(previous)) << iterations;
    previous = value;
  }
}

TEST(ConjugateGradient, StaysAtASolutionOfASingularSystem) {
  // Four times the same unknown: all directions but one are flat, and the start solves the system up to
  // rounding.
  const Matrix a(4, 4, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  std::vector<float> x = {0.1f, 0.2f, 0.3f, 0.4f};
  ConjugateGradient(a, std::vector<float>{1.0000001f, 1, 1, 0.9999999f}, x, 50, 1e-5);
  EXPECT_THAT(x, testing::Pointwise(testing::FloatNear(1e-4f), {0.1f, 0.2f, 0.3f, 0.4f}));
}

TEST(ConjugateGradient, LeavesUnknownsOfZeroRowsAlone) {
  const Matrix a(3, 3, {2, 0, 1, 0, 0, 0, 1, 0, 2});
  std::vector<float> x = {0, 5, 0};
  ConjugateGradient(a, std::vector<float>{4, 0, 5}, x, 10, 1e-7);
  EXPECT_THAT(x, testing::ElementsAre(testing::FloatNear(1, 1e-6), 5, testing::FloatNear(2, 1e-6)));
}

TEST(PowerIteration, IsExactForMagnitudesOfRankOne) {
  const std::vector<float> u = {1, 2, 0.5f}, w = {3, 1, 4, 1};
  Matrix v(3, 4);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 4; ++j) v(i, j) = (i + j) % 2 == 0 ? u[i] * w[j] : -u[i] * w[j];
  }
  const Envelope envelope = PowerIteration(v);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(envelope.row[i] * envelope.col[j], u[i] * w[j], 1e-5);
  }
}

// Golden: numpy's SVD of |W| for the W of house-style's example, first singular value, numpy 2.4.6:
//   python3 -c "import numpy as np;
//   print(np.linalg.svd(abs(np.array([[1,-2,3,-4],[2,.5,-1,1],[-3,1,2,.25]])))[1][0])"
TEST(PowerIteration, FindsTheLargestSingularTriple) {
  const Matrix v(3, 4, {1, -2, 3, -4, 2, 0.5, -1, 1, -3, 1, 2, 0.25});
  const Envelope envelope = PowerIteration(v, 30);
  double row = 0, col = 0;
  for (const float value : envelope.row) row += value * value;
  for (const float value : envelope.col) col += value * value;
  EXPECT_NEAR(std::sqrt(row * col), 6.423493288263452, 1e-5);
  EXPECT_NEAR(row / 3, col / 4, 1e-5) << "even sizes";
}

TEST(PowerIteration, OfZeroIsZero) {
  const Envelope envelope = PowerIteration(Matrix(2, 3));
  EXPECT_THAT(envelope.row, testing::ElementsAre(0, 0));
  EXPECT_THAT(envelope.col, testing::ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace addend
