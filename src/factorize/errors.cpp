#include "factorize/errors.h"

#include "factorize/objective.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

double Ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

// diag(a) A diag(mid) B diag(b), by a product of dense matrices: FactoredWeight::ToDense() is the readable,
// slow form.
Matrix Dense(const FactoredWeight& weight, ThreadPool& pool) {
  Matrix left = weight.A.ToDense(), right = weight.B.ToDense();
  for (size_t i = 0; i < left.rows(); ++i) {
    for (size_t k = 0; k < left.cols(); ++k) left(i, k) *= weight.a[i] * weight.mid[k];
  }
  for (size_t k = 0; k < right.rows(); ++k) {
    for (size_t j = 0; j < right.cols(); ++j) right(k, j) *= weight.b[j];
  }
  Matrix dense(weight.outputs(), weight.inputs());
  Gemm(Op::kNone, left, Op::kNone, right, dense, pool);
  return dense;
}

// sum over i, j of rows[i] cols[j] m_ij^2
double WeightedSquares(ConstMatrixView m, std::span<const float> rows, std::span<const float> cols) {
  double total = 0;
  for (size_t i = 0; i < m.rows; ++i) {
    double row = 0;
    for (size_t j = 0; j < m.cols; ++j) row += static_cast<double>(cols[j]) * m(i, j) * m(i, j);
    total += rows[i] * row;
  }
  return total;
}

// tr(m^T diag(rows) m h)
double OutputSquares(ConstMatrixView m, std::span<const float> rows, ConstMatrixView h, ThreadPool& pool) {
  Matrix image(m.rows, m.cols);
  Gemm(Op::kNone, m, Op::kNone, h, image, pool);
  double total = 0;
  for (size_t i = 0; i < m.rows; ++i) {
    double row = 0;
    for (size_t j = 0; j < m.cols; ++j) row += static_cast<double>(image(i, j)) * m(i, j);
    total += rows[i] * row;
  }
  return total;
}

}  // namespace

FactorizeErrors MeasureErrors(const FactorizeProblem& problem, const FactoredWeight& factored,
                              ThreadPool& pool) {
  const ConstMatrixView w = problem.weight;
  const std::vector<float> o = FlooredImportance(problem.output_importance, w.rows);
  const std::vector<float> i = FlooredImportance(problem.input_importance, w.cols);
  Matrix difference = Dense(factored, pool);
  for (size_t r = 0; r < w.rows; ++r) {
    for (size_t c = 0; c < w.cols; ++c) difference(r, c) = w(r, c) - difference(r, c);
  }
  FactorizeErrors errors;
  const double weighted_energy = WeightedSquares(w, o, i);
  errors.weighted = Ratio(WeightedSquares(difference, o, i), weighted_energy);
  const ConstMatrixView h = problem.input_covariance;
  if (h.data == nullptr) {
    errors.output_energy = weighted_energy;
    errors.output = errors.weighted;
  } else {
    errors.output_energy = OutputSquares(w, o, h, pool);
    errors.output = Ratio(OutputSquares(difference, o, h, pool), errors.output_energy);
  }
  return errors;
}

}  // namespace addend
