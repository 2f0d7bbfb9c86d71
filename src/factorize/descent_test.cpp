#include "factorize/descent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <csignal>

#include "base/error.h"
#include "base/interrupt.h"
#include "factorize/admm.h"
#include "factorize/test_matrices.h"

namespace addend {
namespace {

using test::RandomProblem;
using test::RandomScales;
using test::RandomSigns;

double Entry(const Matrix& metric, size_t i, size_t j) {
  return metric.empty() ? static_cast<double>(i == j) : metric(i, j);
}

// || output_metric^(1/2) (weight - What) input_metric^(1/2) ||^2 in double precision, from the definition.
double Error(const Objective& objective, const Factors& factors) {
  const size_t n = objective.outputs(), m = objective.inputs();
  const auto difference = [&](size_t i, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < factors.rank(); ++k) {
      sum += static_cast<double>(factors.A_t(k, i)) * factors.mid[k] * factors.B(k, j);
    }
    return objective.weight(i, j) - factors.a[i] * sum * factors.b[j];
  };
  std::vector<double> d(n * m), image(n * m);  // image = d input_metric
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < m; ++j) d[i * m + j] = difference(i, j);
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < m; ++j) {
      for (size_t l = 0; l < m; ++l) image[i * m + j] += d[i * m + l] * Entry(objective.input_metric, l, j);
    }
  }
  double error = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t h = 0; h < n; ++h) {
      double dot = 0;
      for (size_t j = 0; j < m; ++j) dot += d[i * m + j] * image[h * m + j];
      error += Entry(objective.output_metric, i, h) * dot;
    }
  }
  return error;
}

Factors RandomFactors(const Objective& objective, size_t rank, uint64_t seed) {
  return {RandomSigns(rank, objective.outputs(), seed), RandomSigns(rank, objective.inputs(), seed + 1),
          RandomScales(objective.outputs(), seed + 2), RandomScales(rank, seed + 3),
          RandomScales(objective.inputs(), seed + 4)};
}

enum class Metrics { kNone, kInput, kBoth };

class DescentTest : public testing::TestWithParam<Metrics> {
 protected:
  Objective MakeRandomObjective(size_t outputs, size_t inputs, uint64_t seed) {
    const RandomProblem problem(outputs, inputs, seed);
    const bool both = GetParam() == Metrics::kBoth;
    return MakeObjective(both ? problem.WithBothSides() : problem.WithCovariance(),
                         GetParam() != Metrics::kNone, 0.1f, pool_);
  }
  ThreadPool pool_{1};
};

TEST_P(DescentTest, ScalesAreAtAMinimumAfterFitting) {
  const Objective objective = MakeRandomObjective(24, 30, 1);
  Factors factors = RandomFactors(objective, 7, 2);
  Descent descent(objective, factors, pool_);
  double before = Error(objective, factors);
  for (size_t round = 0; round < 40; ++round) {
    descent.FitScales();
    const double after = Error(objective, factors);
    ASSERT_LE(after, before * (1 + 1e-5)) << "round " << round;
    before = after;
  }
  // Taking turns converges slowly; by now no single scale can improve the error noticeably.
  for (std::vector<float>* scales : {&factors.a, &factors.mid, &factors.b}) {
    for (float& scale : *scales) {
      const float kept = scale;
      for (const float factor : {0.9f, 1.1f}) {
        scale = kept * factor;
        EXPECT_GE(Error(objective, factors), before * (1 - 3e-4));
      }
      scale = kept;
    }
  }
}

TEST_P(DescentTest, FittedScalesAreNotNegativeAndNormalised) {
  const Objective objective = MakeRandomObjective(20, 26, 3);
  Factors factors = RandomFactors(objective, 9, 4);
  for (float& mid : factors.mid) mid = -mid;
  Descent(objective, factors, pool_).FitScales();
  double sum_a = 0, sum_b = 0;
  for (const float value : factors.a) sum_a += value;
  for (const float value : factors.b) sum_b += value;
  EXPECT_NEAR(sum_a, 20, 1e-3);
  EXPECT_NEAR(sum_b, 26, 1e-3);
  EXPECT_THAT(factors.a, testing::Each(testing::Ge(0)));
  EXPECT_THAT(factors.mid, testing::Each(testing::Ge(0)));
  EXPECT_THAT(factors.b, testing::Each(testing::Ge(0)));
}

TEST_P(DescentTest, FlipsNeverRaiseTheErrorAndEndWhereNoFlipHelps) {
  const Objective objective = MakeRandomObjective(22, 28, 5);
  Factors factors = RandomFactors(objective, 8, 6);
  Descent descent(objective, factors, pool_);
  descent.FitScales();
  double before = Error(objective, factors);
  const double start = before;
  for (size_t round = 0; round < 60; ++round) {
    descent.Flip(1);
    const double after = Error(objective, factors);
    ASSERT_LE(after, before * (1 + 1e-5)) << "round " << round;
    before = after;
  }
  EXPECT_LT(before, 0.8 * start);
  for (Matrix* factor : {&factors.A_t, &factors.B}) {
    for (float& sign : factor->values()) {
      sign = -sign;
      EXPECT_GE(Error(objective, factors), before * (1 - 1e-5));
      sign = -sign;
    }
  }
}

TEST_P(DescentTest, AnnealingGoesBelowFlips) {
  const Objective objective = MakeRandomObjective(160, 200, 7);
  const Objective one_sided = WithoutOutputMetric(objective, pool_);
  Rng rng(1);
  Factors flipped = Admm(objective, 52, {.steps = 10, .inner_steps = 3, .power_iterations = 0}, rng, pool_);
  Factors annealed = flipped;
  for (Factors* factors : {&flipped, &annealed}) {
    Descent descent(objective, *factors, pool_);
    descent.FitScales();
    if (factors == &annealed) Descent(one_sided, *factors, pool_).Anneal({.steps = 100});
    descent.FitScales();
    descent.Flip(20);
  }
  EXPECT_LT(Error(objective, annealed), 0.98 * Error(objective, flipped));
  EXPECT_THAT(annealed.A_t.values(), testing::Each(testing::AnyOf(1.0f, -1.0f)));
  EXPECT_THAT(annealed.B.values(), testing::Each(testing::AnyOf(1.0f, -1.0f)));
}

TEST_P(DescentTest, EveryPartCanBeInterrupted) {
  const Objective objective = MakeRandomObjective(20, 26, 8);
  Factors factors = RandomFactors(objective, 9, 9);
  Descent descent(objective, factors, pool_);
  CatchInterrupts();
  std::raise(SIGINT);
  EXPECT_THROW(descent.Anneal({.steps = 2}), Interrupted);
  EXPECT_THROW(descent.Flip(2), Interrupted);
  ClearInterrupt();
}

std::string NameOf(const testing::TestParamInfo<Metrics>& test) {
  constexpr std::array kNames = {"identity", "input", "both"};
  return kNames[static_cast<size_t>(test.param)];
}

INSTANTIATE_TEST_SUITE_P(Metrics, DescentTest,
                         testing::Values(Metrics::kNone, Metrics::kInput, Metrics::kBoth), NameOf);

}  // namespace
}  // namespace addend
