#include "factorize/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "factorize/test_matrices.h"
#include "kernels/target.h"

namespace addend {
namespace {

using test::RandomMatrix;
using test::RandomScales;
using test::RandomSigns;

// A factor S (r x n) with everything that its energy depends on (sweep.h).
struct Case {
  Matrix q, f, metric, s;
  std::vector<float> c;

  Case(size_t rank, size_t columns, uint64_t seed)
      : q(rank, rank),
        f(RandomMatrix(rank, columns, seed)),
        metric(columns, columns),
        s(RandomSigns(rank, columns, seed + 1)),
        c(RandomScales(columns, seed + 2)) {
    ThreadPool pool(1);
    AddGram(RandomMatrix(rank + 3, rank, seed + 3), 1, q, pool);
    metric = test::RandomCovariance(columns, seed + 4);
    std::vector<float> deviation;
    for (size_t j = 0; j < columns; ++j) deviation.push_back(std::sqrt(metric(j, j)));
    for (size_t i = 0; i < columns; ++i) {
      for (size_t j = 0; j < columns; ++j)
        metric(i, j) = i == j ? 1 : metric(i, j) / (deviation[i] * deviation[j]);
    }
  }

  Matrix Identity() const {
    Matrix identity(c.size(), c.size());
    for (size_t i = 0; i < c.size(); ++i) identity(i, i) = 1;
    return identity;
  }
};

double Energy(const Case& k, const Matrix& metric) {
  double energy = 0;
  for (size_t i = 0; i < k.c.size(); ++i) {
    for (size_t a = 0; a < k.q.rows(); ++a) energy -= 2.0 * k.c[i] * k.s(a, i) * k.f(a, i);
    for (size_t j = 0; j < k.c.size(); ++j) {
      double product = 0;
      for (size_t a = 0; a < k.q.rows(); ++a) {
        for (size_t b = 0; b < k.q.rows(); ++b)
          product += static_cast<double>(k.s(a, i)) * k.q(a, b) * k.s(b, j);
      }
      energy += product * k.c[i] * k.c[j] * metric(i, j);
    }
  }
  return energy;
}

// The definition in sweep.h, in double precision with an exact tanh: column after column, `passes` times over
// each.
Matrix Reference(const Case& k, const Matrix& metric, const SweepRule& rule, size_t passes) {
  const size_t rank = k.q.rows(), columns = k.c.size();
  double trace = 0;
  for (size_t a = 0; a < rank; ++a) trace += k.q(a, a);
  std::vector<double> s(k.s.values().begin(), k.s.values().end());
  const auto at = [&](size_t a, size_t i) -> double& { return s[a * columns + i]; };
  for (size_t i = 0; i < columns; ++i) {
    for (size_t pass = 0; pass < passes; ++pass) {
      for (size_t a = 0; a < rank; ++a) {
        double force = k.f(a, i) / static_cast<double>(k.c[i]);
        for (size_t j = 0; j < columns; ++j) {
          for (size_t b = 0; b < rank; ++b) force -= k.q(a, b) * at(b, j) * metric(j, i) * k.c[j] / k.c[i];
        }
        force += rule.memory * k.q(a, a) * at(a, i);
        at(a, i) = rule.hard ? (force >= 0 ? 1 : -1)
                             : std::tanh(rule.beta * force * static_cast<double>(rank) / trace);
      }
    }
  }
  Matrix result(rank, columns);
  std::transform(s.begin(), s.end(), result.values().begin(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

struct Shape {
  size_t rank, columns;
};
// Around the panels of 8 and 16 entries, the groups of 4 to 32 columns, and the blocks of 64 coupled columns.
constexpr Shape kShapes[] = {{1, 1}, {3, 5}, {8, 33}, {17, 31}, {33, 70}};

// Soft, so that an error of one entry (1e-4 of tanh, float sums) does not grow in those that follow.
constexpr SweepRule kSoft = {.hard = false, .beta = 0.5f, .memory = 0.4f};
constexpr double kTolerance = 2e-3;

class Sweep : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override { ForceTarget(Name(GetParam())); }
  void TearDown() override { ForceTarget(Name(RunnableTargets().front())); }
  ThreadPool pool_{2};
};

TEST_P(Sweep, IndependentColumnsFollowTheDefinition) {
  for (const Shape& shape : kShapes) {
    Case k(shape.rank, shape.columns, 11);
    const Matrix expected = Reference(k, k.Identity(), kSoft, 1);
    SweepIndependent(k.q, k.f, k.c, kSoft, k.s, pool_);
    for (size_t i = 0; i < k.s.size(); ++i) {
      ASSERT_NEAR(k.s.data()[i], expected.data()[i], kTolerance)
          << shape.rank << " x " << shape.columns << " at " << i;
    }
  }
}

TEST_P(Sweep, CoupledColumnsFollowTheDefinition) {
  for (const Shape& shape : kShapes) {
    for (const size_t passes : {1, 2}) {
      Case k(shape.rank, shape.columns, 12);
      const Matrix expected = Reference(k, k.metric, kSoft, passes);
      SweepCoupled(k.q, Transpose(k.f), k.c, k.metric, kSoft, passes, k.s, pool_);
      for (size_t i = 0; i < k.s.size(); ++i) {
        ASSERT_NEAR(k.s.data()[i], expected.data()[i], kTolerance)
            << shape.rank << " x " << shape.columns << " at " << i;
      }
    }
  }
}

TEST_P(Sweep, FlipsLowerTheEnergyAndKeepSigns) {
  for (const Shape& shape : kShapes) {
    Case k(shape.rank, shape.columns, 13);
    double before = Energy(k, k.Identity());
    SweepIndependent(k.q, k.f, k.c, SweepRule{}, k.s, pool_);
    EXPECT_LE(Energy(k, k.Identity()), before + 1e-5 * std::abs(before));
    before = Energy(k, k.metric);
    SweepCoupled(k.q, Transpose(k.f), k.c, k.metric, SweepRule{}, 2, k.s, pool_);
    EXPECT_LE(Energy(k, k.metric), before + 1e-5 * std::abs(before));
    EXPECT_THAT(k.s.values(), testing::Each(testing::AnyOf(1.0f, -1.0f)));
  }
}

TEST_P(Sweep, WithTheIdentityAsMetricBothAreTheSame) {
  Case independent(19, 41, 14), coupled(19, 41, 14);
  SweepIndependent(independent.q, independent.f, independent.c, kSoft, independent.s, pool_);
  SweepCoupled(coupled.q, Transpose(coupled.f), coupled.c, coupled.Identity(), kSoft, 1, coupled.s, pool_);
  for (size_t i = 0; i < coupled.s.size(); ++i)
    ASSERT_NEAR(coupled.s.data()[i], independent.s.data()[i], 1e-4);
}

TEST_P(Sweep, ColumnsOfScaleZeroStayFinite) {
  for (const bool hard : {false, true}) {
    Case k(9, 6, 15);
    k.c[2] = 0;
    k.c[4] = 1e-30f;
    const SweepRule rule = {.hard = hard, .beta = 5, .memory = 0.5f};
    SweepIndependent(k.q, k.f, k.c, rule, k.s, pool_);
    EXPECT_EQ(FirstNonFinite(k.s.values()), k.s.size());
    SweepCoupled(k.q, Transpose(k.f), k.c, k.metric, rule, 2, k.s, pool_);
    EXPECT_EQ(FirstNonFinite(k.s.values()), k.s.size());
  }
}

TEST_P(Sweep, IsTheSameForAnyNumberOfThreads) {
  Case one(20, 300, 16), three(20, 300, 16);
  ThreadPool one_thread(1), three_threads(3);
  for (ThreadPool* pool : {&one_thread, &three_threads}) {
    Case& k = pool == &one_thread ? one : three;
    SweepIndependent(k.q, k.f, k.c, kSoft, k.s, *pool);
    SweepCoupled(k.q, Transpose(k.f), k.c, k.metric, kSoft, 1, k.s, *pool);
  }
  EXPECT_THAT(three.s.values(), testing::ElementsAreArray(one.s.values()));
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, Sweep,
                         testing::ValuesIn(RunnableTargets().begin(), RunnableTargets().end()),
                         [](const auto& test) { return std::string(Name(test.param)); });

}  // namespace
}  // namespace addend
