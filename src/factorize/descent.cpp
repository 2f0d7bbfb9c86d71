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
    : objective_(objective), factors_(factors), pool_(pool) {}

void Descent::ComputeOutputSide(bool with_mid) {
  const size_t rank = factors_.rank();
  ScaledCopy(factors_.B, with_mid ? std::span<const float>(factors_.mid) : std::span<const float>(),
             factors_.b, scaled_);
  const Matrix* image = &scaled_;
  if (objective_.has_metric()) {
    image_.Reshape(rank, objective_.inputs());
    Gemm(Op::kNone, scaled_, Op::kNone, objective_.metric, image_, pool_);
    image = &image_;
  }
  q_.Reshape(rank, rank);
  f_.Reshape(rank, objective_.outputs());
  Gemm(Op::kNone, *image, Op::kTranspose, scaled_, q_, pool_);
  Gemm(Op::kNone, *image, Op::kTranspose, objective_.weight, f_, pool_);
}

void Descent::ComputeInputSide(bool transposed) {
  const size_t rank = factors_.rank();
  const Matrix& weight = objective_.has_metric() ? objective_.weight_metric : objective_.weight;
  ScaledCopy(factors_.A_t, factors_.mid, factors_.a, scaled_);
  q_.Reshape(rank, rank);
  q_.SetZero();
  AddRowGram(scaled_, 1, q_, pool_);
  if (transposed) {
    f_.Reshape(objective_.inputs(), rank);
    Gemm(Op::kTranspose, weight, Op::kTranspose, scaled_, f_, pool_);
  } else {
    f_.Reshape(rank, objective_.inputs());
    Gemm(Op::kNone, scaled_, Op::kNone, weight, f_, pool_);
  }
}

void Descent::SweepA(const SweepRule& rule, size_t passes) {
  ComputeOutputSide(/*with_mid=*/true);
  for (size_t pass = 0; pass < passes; ++pass)
    SweepIndependent(q_, f_, factors_.a, rule, factors_.A_t, pool_);
}

void Descent::SweepB(const SweepRule& rule, size_t passes) {
  ComputeInputSide(/*transposed=*/objective_.has_metric());
  if (objective_.has_metric()) {
    SweepCoupled(q_, f_, factors_.b, objective_.metric, rule, passes, factors_.B, pool_);
  } else {
    for (size_t pass = 0; pass < passes; ++pass)
      SweepIndependent(q_, f_, factors_.b, rule, factors_.B, pool_);
  }
}

void Descent::FitMidAndA() {
  const size_t rank = factors_.rank();
  ComputeOutputSide(/*with_mid=*/false);
  ScaledCopy(factors_.A_t, {}, factors_.a, scaled_);
  Matrix system(rank, rank);
  AddRowGram(scaled_, 1, system, pool_);
  MultiplyElements(q_, system);
  std::vector<float> rhs(rank);
  for (size_t k = 0; k < rank; ++k) rhs[k] = static_cast<float>(Dot(scaled_.Row(k), f_.Row(k)));
  ConjugateGradient(system, rhs, factors_.mid, kScaleIterations, kScaleTolerance);

  const std::vector<float>& mid = factors_.mid;
  for (size_t k = 0; k < rank; ++k) {
    for (size_t l = 0; l < rank; ++l) q_(k, l) *= mid[k] * mid[l];
    for (float& value : f_.Row(k)) value *= mid[k];
  }
  FitColumns(factors_.A_t, factors_.a);
}

// The scale of each column on its own, for the side in q_ and f_ (metric: identity).
void Descent::FitColumns(const Matrix& factor, std::vector<float>& scales) {
  image_.Reshape(factor.rows(), factor.cols());
  Gemm(Op::kNone, q_, Op::kNone, factor, image_, pool_);
  const std::vector<float> products = ColumnDots(factor, f_), squares = ColumnDots(factor, image_);
  for (size_t i = 0; i < scales.size(); ++i) scales[i] = squares[i] > 0 ? products[i] / squares[i] : 0;
}

void Descent::FitB() {
  ComputeInputSide(/*transposed=*/false);
  if (!objective_.has_metric()) return FitColumns(factors_.B, factors_.b);
  const size_t inputs = objective_.inputs();
  image_.Reshape(factors_.rank(), inputs);
  Gemm(Op::kNone, q_, Op::kNone, factors_.B, image_, pool_);
  Matrix system(inputs, inputs);
  Gemm(Op::kTranspose, factors_.B, Op::kNone, image_, system, pool_);
  MultiplyElements(objective_.metric, system);
  ConjugateGradient(system, ColumnDots(factors_.B, f_), factors_.b, kScaleIterations, kScaleTolerance);
}

void Descent::FitScales() {
  FitMidAndA();
  FitB();
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
    SweepA(SweepRule{}, kFlipPasses);
    SweepB(SweepRule{}, kFlipPasses);
    const size_t flips = CountChanges(old_A_t, factors_.A_t) + CountChanges(old_B, factors_.B);
    FitScales();
    if (static_cast<double>(flips) < few) return;
  }
}

void Descent::Anneal(const AnnealSchedule& schedule) {
  for (size_t step = 0; step < schedule.steps; ++step) {
    ThrowIfInterrupted();
    const SweepRule rule = RuleOf(schedule, step);
    SweepA(rule, 1);
    SweepB(rule, 1);
  }
  Harden(factors_.A_t);
  Harden(factors_.B);
  FitScales();
}

void Descent::SolveA(const AnnealSchedule& schedule, size_t flip_rounds) {
  ComputeOutputSide(/*with_mid=*/true);  // does not depend on A
  factors_.A_t.SetZero();
  for (size_t step = 0; step < schedule.steps; ++step) {
    ThrowIfInterrupted();
    SweepIndependent(q_, f_, factors_.a, RuleOf(schedule, step), factors_.A_t, pool_);
  }
  Harden(factors_.A_t);
  FitColumns(factors_.A_t, factors_.a);
  for (size_t round = 0; round < flip_rounds; ++round) {
    for (size_t pass = 0; pass < kFlipPasses; ++pass)
      SweepIndependent(q_, f_, factors_.a, SweepRule{}, factors_.A_t, pool_);
    FitColumns(factors_.A_t, factors_.a);
  }
  MoveSignsOfColumns(factors_.a, factors_.A_t);
}

}  // namespace addend
