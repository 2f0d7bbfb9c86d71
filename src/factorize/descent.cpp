#include "factorize/descent.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "linalg/gemm.h"
#include "linalg/solve.h"

namespace addend {
namespace {

// Enough for the well-conditioned systems of the scales; more changes nothing in the errors' fourth digit.
constexpr size_t kScaleIterations = 60;
constexpr double kScaleTolerance = 1e-5;

// Passes over a factor in one round of flips, and the share of flipped signs below which the rounds end.
constexpr size_t kFlipPasses = 2;
constexpr double kFewFlips = 1e-4;

double Dot(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * y[i];
  return sum;
}

// to = diag(row_scales) from diag(col_scales); an empty span is ones.
void ScaledCopy(const Matrix& from, std::span<const float> row_scales, std::span<const float> col_scales,
                Matrix& to) {
  to.Reshape(from.rows(), from.cols());
  for (size_t r = 0; r < from.rows(); ++r) {
    const float row = row_scales.empty() ? 1 : row_scales[r];
    for (size_t c = 0; c < from.cols(); ++c)
      to(r, c) = row * from(r, c) * (col_scales.empty() ? 1 : col_scales[c]);
  }
}

void MultiplyElements(const Matrix& by, Matrix& m) {
  for (size_t i = 0; i < m.size(); ++i) m.data()[i] *= by.data()[i];
}

// For each column s of S, the dot product of s with the same column of `other`.
std::vector<float> ColumnDots(const Matrix& s, const Matrix& other) {
  std::vector<double> sums(s.cols());
  for (size_t k = 0; k < s.rows(); ++k) {
    for (size_t i = 0; i < s.cols(); ++i) sums[i] += s(k, i) * other(k, i);
  }
  return {sums.begin(), sums.end()};
}

// Negative scales to positive ones, with the signs of their columns (or rows) flipped.
void MoveSignsOfColumns(std::vector<float>& scales, Matrix& factor) {
  for (size_t i = 0; i < scales.size(); ++i) {
    if (scales[i] >= 0) continue;
    scales[i] = -scales[i];
    for (size_t k = 0; k < factor.rows(); ++k) factor(k, i) = -factor(k, i);
  }
}

void MoveSignsOfRows(std::vector<float>& scales, Matrix& factor) {
  for (size_t k = 0; k < scales.size(); ++k) {
    if (scales[k] >= 0) continue;
    scales[k] = -scales[k];
    for (float& sign : factor.Row(k)) sign = -sign;
  }
}

// Divides by the mean and returns it; leaves zeros alone.
float NormalizeMean(std::vector<float>& scales) {
  double sum = 0;
  for (const float scale : scales) sum += scale;
  const float mean = static_cast<float>(sum / static_cast<double>(scales.size()));
  if (!(mean > 0)) return 1;
  for (float& scale : scales) scale /= mean;
  return mean;
}

size_t CountChanges(const Matrix& before, const Matrix& after) {
  size_t changes = 0;
  for (size_t i = 0; i < before.size(); ++i) changes += before.data()[i] != after.data()[i];
  return changes;
}

void Harden(Matrix& factor) {
  for (float& value : factor.values()) value = value >= 0 ? 1.0f : -1.0f;
}

SweepRule RuleOf(const AnnealSchedule& schedule, size_t step) {
  const float x = schedule.steps > 1 ? static_cast<float>(step) / static_cast<float>(schedule.steps - 1) : 1;
  SweepRule rule;
  rule.hard = false;
  rule.beta = schedule.first_beta * std::pow(schedule.last_beta / schedule.first_beta, x);
  rule.memory = schedule.first_memory + x * (schedule.last_memory - schedule.first_memory);
  return rule;
}

}  // namespace

Descent::Descent(const Objective& objective, Factors& factors, ThreadPool& pool)
    : objective_(objective),
      factors_(factors),
      A_{factors.A_t, factors.a, objective.output_metric, Op::kTranspose},
      B_{factors.B, factors.b, objective.input_metric, Op::kNone},
      pool_(pool) {}

// Sets q_ and f_ for the factor that is not `fixed`. f_ is transposed for coupled columns.
void Descent::ComputeForces(const Side& fixed, std::span<const float> mid, bool transposed) {
  const size_t rank = factors_.rank();
  ScaledCopy(fixed.factor, mid, fixed.scales, fixed_);
  q_.Reshape(rank, rank);
  if (fixed.metric.empty()) {
    q_.SetZero();
    AddRowGram(fixed_, 1, q_, pool_);
  } else {
    image_.Reshape(rank, fixed.metric.rows());
    Gemm(Op::kNone, fixed_, Op::kNone, fixed.metric, image_, pool_);
    Gemm(Op::kNone, image_, Op::kTranspose, fixed_, q_, pool_);
  }
  const Side& moving = &fixed == &A_ ? B_ : A_;
  const Matrix& image = objective_.weight_between_metrics();
  if (transposed) {
    f_.Reshape(moving.factor.cols(), rank);
    Gemm(fixed.image, image, Op::kTranspose, fixed_, f_, pool_);
  } else {
    f_.Reshape(rank, moving.factor.cols());
    Gemm(Op::kNone, fixed_, moving.image, image, f_, pool_);
  }
}

void Descent::Sweep(const Side& fixed, const Side& moving, const SweepRule& rule, size_t passes) {
  const bool coupled = !moving.metric.empty();
  ComputeForces(fixed, factors_.mid, /*transposed=*/coupled);
  if (coupled) {
    SweepCoupled(q_, f_, moving.scales, moving.metric, rule, passes, moving.factor, pool_);
  } else {
    for (size_t pass = 0; pass < passes; ++pass)
      SweepIndependent(q_, f_, moving.scales, rule, moving.factor, pool_);
  }
}

// Leaves the forces of A behind.
void Descent::FitMid() {
  const size_t rank = factors_.rank();
  ComputeForces(A_, {}, /*transposed=*/false);
  Matrix system = std::move(q_);
  const Matrix left = std::move(fixed_);
  ComputeForces(B_, {}, /*transposed=*/false);
  MultiplyElements(q_, system);
  std::vector<float> rhs(rank);
  for (size_t k = 0; k < rank; ++k) rhs[k] = static_cast<float>(Dot(left.Row(k), f_.Row(k)));
  std::vector<float>& mid = factors_.mid;
  ConjugateGradient(system, rhs, mid, kScaleIterations, kScaleTolerance);
  for (size_t k = 0; k < rank; ++k) {
    for (size_t l = 0; l < rank; ++l) q_(k, l) *= mid[k] * mid[l];
    for (float& value : f_.Row(k)) value *= mid[k];
  }
}

// The scales of the columns of the factor whose forces are in q_ and f_.
void Descent::FitColumns(const Side& moving) {
  const Matrix& factor = moving.factor;
  image_.Reshape(factor.rows(), factor.cols());
  Gemm(Op::kNone, q_, Op::kNone, factor, image_, pool_);
  const std::vector<float> products = ColumnDots(factor, f_);
  if (moving.metric.empty()) {  // each on its own
    const std::vector<float> squares = ColumnDots(factor, image_);
    for (size_t i = 0; i < squares.size(); ++i)
      moving.scales[i] = squares[i] > 0 ? products[i] / squares[i] : 0;
  } else {
    Matrix system(factor.cols(), factor.cols());
    Gemm(Op::kTranspose, factor, Op::kNone, image_, system, pool_);
    MultiplyElements(moving.metric, system);
    ConjugateGradient(system, products, moving.scales, kScaleIterations, kScaleTolerance);
  }
}

void Descent::FitScales() {
  FitMid();
  FitColumns(A_);
  ComputeForces(A_, factors_.mid, /*transposed=*/false);
  FitColumns(B_);
  MoveSignsOfColumns(factors_.a, factors_.A_t);
  MoveSignsOfRows(factors_.mid, factors_.B);
  MoveSignsOfColumns(factors_.b, factors_.B);
  const float scale = NormalizeMean(factors_.a) * NormalizeMean(factors_.b);
  for (float& mid : factors_.mid) mid *= scale;
}

void Descent::Flip(size_t max_rounds) {
  const double few = kFewFlips * static_cast<double>(factors_.A_t.size() + factors_.B.size());
  for (size_t round = 0; round < max_rounds; ++round) {
    ThrowIfInterrupted();
    const Matrix old_A_t = factors_.A_t, old_B = factors_.B;
    Sweep(B_, A_, SweepRule{}, kFlipPasses);
    Sweep(A_, B_, SweepRule{}, kFlipPasses);
    const size_t flips = CountChanges(old_A_t, factors_.A_t) + CountChanges(old_B, factors_.B);
    FitScales();
    if (static_cast<double>(flips) < few) return;
  }
}

void Descent::Anneal(const AnnealSchedule& schedule) {
  for (size_t step = 0; step < schedule.steps; ++step) {
    ThrowIfInterrupted();
    const SweepRule rule = RuleOf(schedule, step);
    Sweep(B_, A_, rule, 1);
    Sweep(A_, B_, rule, 1);
  }
  Harden(factors_.A_t);
  Harden(factors_.B);
  FitScales();
}

void Descent::SolveA(const AnnealSchedule& schedule, size_t flip_rounds) {
  ComputeForces(B_, factors_.mid, /*transposed=*/false);  // do not depend on A
  factors_.A_t.SetZero();
  for (size_t step = 0; step < schedule.steps; ++step) {
    ThrowIfInterrupted();
    SweepIndependent(q_, f_, factors_.a, RuleOf(schedule, step), factors_.A_t, pool_);
  }
  Harden(factors_.A_t);
  FitColumns(A_);
  for (size_t round = 0; round < flip_rounds; ++round) {
    for (size_t pass = 0; pass < kFlipPasses; ++pass)
      SweepIndependent(q_, f_, factors_.a, SweepRule{}, factors_.A_t, pool_);
    FitColumns(A_);
  }
  MoveSignsOfColumns(factors_.a, factors_.A_t);
}

}  // namespace addend
