#include "factorize/admm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/interrupt.h"
#include "linalg/gemm.h"
#include "linalg/solve.h"

namespace addend {
namespace {

constexpr float kRidge = 0.03f;  // times the mean diagonal of the Gram matrix

// One factor: z, its projection onto sign(z) row col^T, and u, the running sum of what the projection takes
// away.
struct Factor {
  Matrix z, u;
  Envelope envelope;
};

double SumOfMagnitudes(std::span<const float> values) {
  constexpr size_t kLanes = 16;  // independent sums: the compiler may not reorder a single one
  std::array<float, kLanes> sums = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += std::abs(values[i + lane]);
  }
  double sum = 0;
  for (const float s : sums) sum += s;
  for (; i < values.size(); ++i) sum += std::abs(values[i]);
  return sum;
}

// row mean x column mean / mean
Envelope MeanEnvelope(const Matrix& v) {
  Envelope envelope{std::vector<float>(v.rows()), std::vector<float>(v.cols())};
  double total = 0;
  for (size_t k = 0; k < v.rows(); ++k) {
    const std::span<const float> row = v.Row(k);
    for (size_t j = 0; j < row.size(); ++j) envelope.col[j] += std::abs(row[j]);
    const double sum = SumOfMagnitudes(row);
    envelope.row[k] = static_cast<float>(sum / static_cast<double>(v.cols()));
    total += sum;
  }
  if (total > 0) {
    for (float& value : envelope.col)
      value = static_cast<float>(value * static_cast<double>(v.cols()) / total);
  }
  return envelope;
}

// z = P(v), u = v - z, for v given in u.
void Project(size_t power_iterations, Factor& factor) {
  factor.envelope =
      power_iterations > 0 ? PowerIteration(factor.u, power_iterations) : MeanEnvelope(factor.u);
  for (size_t k = 0; k < factor.u.rows(); ++k) {
    const float row = factor.envelope.row[k];
    float* z = factor.z.Row(k).data();
    float* u = factor.u.Row(k).data();
    for (size_t j = 0; j < factor.u.cols(); ++j) {
      const float magnitude = row * factor.envelope.col[j];
      z[j] = u[j] >= 0 ? magnitude : -magnitude;
      u[j] -= z[j];
    }
  }
}

Factor RandomFactor(size_t rows, size_t cols, size_t power_iterations, Rng& rng) {
  Factor factor{Matrix(rows, cols), Matrix(rows, cols), {}};
  for (float& value : factor.u.values()) value = rng.Normal();
  Project(power_iterations, factor);
  return factor;
}

// The rows of z with unit length.
Matrix UnitRows(const Matrix& z) {
  Matrix unit = z;
  for (size_t k = 0; k < unit.rows(); ++k) {
    double square_sum = 0;
    for (const float value : unit.Row(k)) square_sum += static_cast<double>(value) * value;
    const float inverse = square_sum > 0 ? static_cast<float>(1 / std::sqrt(square_sum)) : 0;
    for (float& value : unit.Row(k)) value *= inverse;
  }
  return unit;
}

Cholesky FactorPlusDiagonal(const Matrix& gram, float diagonal) {
  Matrix sum = gram;
  for (size_t k = 0; k < sum.rows(); ++k) sum(k, k) += diagonal;
  return Cholesky(std::move(sum));
}

// Inner steps for `moving` (r x m) with the other factor fixed (r x n): weight (n x m) ~= fixed^T moving.
void UpdateFactor(const Factor& fixed, Op op, const Matrix& weight, float ramp, const AdmmSettings& settings,
                  Factor& moving, ThreadPool& pool) {
  const Matrix x = UnitRows(fixed.z);
  const size_t rank = x.rows();
  Matrix gram(rank, rank), correlation(rank, moving.z.cols()), v(rank, moving.z.cols());
  AddRowGram(x, 1, gram, pool);
  Gemm(Op::kNone, x, op, weight, correlation, pool);
  const float unit = 1;  // mean diagonal of the Gram matrix: the rows are of unit length

  const auto step = [&](const Cholesky& cholesky, float rho) {
    for (size_t i = 0; i < v.size(); ++i) {
      v.data()[i] = correlation.data()[i] + rho * (moving.z.data()[i] - moving.u.data()[i]);
    }
    cholesky.Solve(v, pool);
    for (size_t i = 0; i < v.size(); ++i) moving.u.data()[i] += v.data()[i];
    Project(settings.power_iterations, moving);
  };
  step(FactorPlusDiagonal(gram, kRidge + ramp), ramp);
  if (settings.inner_steps < 2) return;
  const Cholesky hard = FactorPlusDiagonal(gram, kRidge + unit);
  for (size_t inner = 1; inner < settings.inner_steps; ++inner) step(hard, unit);
}

void SetSigns(const Factor& factor, Matrix& signs) {
  signs.Reshape(factor.z.rows(), factor.z.cols());
  std::transform(factor.z.values().begin(), factor.z.values().end(), signs.values().begin(),
                 [](float value) { return value >= 0 ? 1.0f : -1.0f; });
}

}  // namespace

Factors Admm(const Objective& objective, size_t rank, const AdmmSettings& settings, Rng& rng,
             ThreadPool& pool) {
  Factor A_t = RandomFactor(rank, objective.outputs(), settings.power_iterations, rng);
  Factor B = RandomFactor(rank, objective.inputs(), settings.power_iterations, rng);
  // The ramp ends a few steps before the last.
  const float ramp_steps = static_cast<float>(std::max<size_t>(settings.steps, 4) - 3);
  for (size_t step = 0; step < settings.steps; ++step) {
    ThrowIfInterrupted();
    const float x = std::min(1.0f, static_cast<float>(step) / ramp_steps);
    const float ramp = x * x * x;
    UpdateFactor(A_t, Op::kNone, objective.weight, ramp, settings, B, pool);
    UpdateFactor(B, Op::kTranspose, objective.weight, ramp, settings, A_t, pool);
  }
  Factors factors;
  SetSigns(A_t, factors.A_t);
  SetSigns(B, factors.B);
  factors.a = A_t.envelope.col;
  factors.b = B.envelope.col;
  // A was last solved for with the rows of B at unit length.
  factors.mid.resize(rank);
  double b_square_sum = 0;
  for (const float value : B.envelope.col) b_square_sum += static_cast<double>(value) * value;
  const float b_length = static_cast<float>(std::sqrt(b_square_sum));
  for (size_t k = 0; k < rank; ++k) factors.mid[k] = b_length > 0 ? A_t.envelope.row[k] / b_length : 0;
  return factors;
}

}  // namespace addend
