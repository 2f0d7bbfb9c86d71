#include "factorize/descent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

// || (weight - What) metric^(1/2) ||^2 in double precision, from the definition.
double Error(const Objective& objective, const Factors& factors) {
  const size_t n = objective.outputs(), m = objective.inputs();
  double error = 0;
  std::vector<double> difference(m);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < m; ++j) {
      double sum = 0;
      for (size_t k = 0; k < factors.rank(); ++k) {
        sum += static_cast<double>(factors.A_t(k, i)) * factors.mid[k] * factors.B(k, j);
      }
      difference[j] = objective.weight(i, j) - factors.a[i] * sum * factors.b[j];
    }
    for (size_t j = 0; j < m; ++j) {
      if (!objective.has_metric()) error += difference[j] * difference[j];
      for (size_t l = 0; objective.has_metric() && l < m; ++l)
        error += difference[j] * objective.metric(j, l) * difference[l];
    }
  }
  return error;
}

Factors RandomFactors(const Objective& objective, size_t rank, uint64_t seed) {
  return {RandomSigns(rank, objective.outputs(), seed), RandomSigns(rank, objective.inputs(), seed + 1),
          RandomScales(objective.outputs(), seed + 2), RandomScales(rank, seed + 3),
          RandomScales(objective.inputs(), seed + 4)};
}

class DescentTest : public testing::TestWithParam<bool> {  // with the covariance?
 protected:
  Objective MakeRandomObjective(size_t outputs, size_t inputs, uint64_t seed) {
    const RandomProblem problem(outputs, inputs, seed);
    return MakeObjective(problem.WithCovariance(), GetParam(), 0.1f, pool_);
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
  Rng rng(1);
  Factors flipped = Admm(objective, 52, {.steps = 10, .inner_steps = 3, .power_iterations = 0}, rng, pool_);
  Factors annealed = flipped;
  for (Factors* factors : {&flipped, &annealed}) {
    Descent descent(objective, *factors, pool_);
    descent.FitScales();
    if (factors == &annealed) descent.Anneal({.steps = 100});
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

INSTANTIATE_TEST_SUITE_P(Metrics, DescentTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "covariance" : "identity"; });

}  // namespace
}  // namespace addend
