#include "factorize/tall.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/interrupt.h"
#include "factorize/descent.h"

namespace addend {
namespace {

constexpr size_t kChunkRows = 4096;
// Of the rows of A, from nothing. What the annealing of both factors needs to find a way together is not at
// stake here, so few steps do (docs/factorization.md).
constexpr size_t kAnnealSteps = 40, kFlipRounds = 3;

std::vector<size_t> MostImportantRows(const Objective& objective, size_t count) {
  std::vector<size_t> rows(objective.outputs());
  std::iota(rows.begin(), rows.end(), size_t{0});
  std::ranges::stable_sort(rows, std::greater(), [&](size_t i) { return objective.row_scale[i]; });
  rows.resize(count);
  return rows;
}

// Some rows of the problem, their mean square 1 again, and what couples them left out.
Objective RowsOf(const Objective& objective, std::span<const size_t> rows, ThreadPool& pool) {
  Objective part;
  part.input_metric = objective.input_metric;
  part.col_scale = objective.col_scale;
  part.weight = Matrix(rows.size(), objective.inputs());
  double squares = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::span<const float> row = objective.weight.Row(rows[i]);
    std::ranges::copy(row, part.weight.Row(i).begin());
    for (const float value : row) squares += static_cast<double>(value) * value;
  }
  const auto to_unit =
      squares > 0 ? static_cast<float>(std::sqrt(static_cast<double>(part.weight.size()) / squares)) : 1;
  for (float& value : part.weight.values()) value *= to_unit;
  for (const size_t row : rows) part.row_scale.push_back(to_unit * objective.row_scale[row]);
  SetImage(part, pool);
  return part;
}

std::vector<double> RowEnergies(const Objective& objective) {
  const Matrix& image = objective.weight_between_metrics();
  std::vector<double> energies(objective.outputs());
  for (size_t i = 0; i < energies.size(); ++i) {
    for (size_t j = 0; j < objective.inputs(); ++j)
      energies[i] += static_cast<double>(objective.weight(i, j)) * image(i, j);
  }
  return energies;
}

}  // namespace

FactoredWeight FactorizeTall(const Objective& objective, const FactorizeOptions& options,
                             const std::function<Factors(const Objective&)>& fit, ThreadPool& pool) {
  const std::vector<size_t> important = MostImportantRows(objective, options.fitted_rows);
  Objective part = RowsOf(objective, important, pool);
  const Factors fitted = fit(part);
  // What a row's scale is, relative to the row, where it was fitted.
  double squares = 0, energy = 0;
  for (const float a : fitted.a) squares += static_cast<double>(a) * a;
  for (const double of_row : RowEnergies(part)) energy += of_row;
  const double typical = energy > 0 ? squares / energy : 1;

  FactoredWeight weight;
  weight.A = SignMatrix(objective.outputs(), options.rank);
  for (size_t first = 0; first < objective.outputs(); first += kChunkRows) {
    ThrowIfInterrupted();
    std::vector<size_t> rows(std::min(kChunkRows, objective.outputs() - first));
    std::iota(rows.begin(), rows.end(), first);
    part = RowsOf(objective, rows, pool);
    const std::vector<double> energies = RowEnergies(part);
    Factors factors{
        .A_t = Matrix(options.rank, rows.size()), .B = fitted.B, .a = {}, .mid = fitted.mid, .b = fitted.b};
    for (const double of_row : energies)
      factors.a.push_back(static_cast<float>(std::sqrt(std::max(0.0, of_row * typical))));
    Descent(part, factors, pool).SolveA({.steps = kAnnealSteps}, kFlipRounds);
    const SignMatrix signs = SignMatrix::FromDense(Transpose(factors.A_t));
    for (size_t i = 0; i < rows.size(); ++i) {
      std::ranges::copy(signs.Row(i), weight.A.Row(first + i).begin());
      weight.a.push_back(factors.a[i] / part.row_scale[i]);
    }
  }
  weight.B = SignMatrix::FromDense(fitted.B);
  weight.mid = fitted.mid;
  weight.b = fitted.b;
  for (size_t j = 0; j < weight.b.size(); ++j) weight.b[j] /= objective.col_scale[j];
  weight.RoundScalesToHalf();
  return weight;
}

}  // namespace addend
