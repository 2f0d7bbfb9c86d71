#include "factorize/objective.h"

#include <algorithm>
#include <cmath>

#include "linalg/gemm.h"

namespace addend {
namespace {

double Mean(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::vector<float> SquareRoots(std::vector<float> values) {
  for (float& value : values) value = std::sqrt(value);
  return values;
}

std::vector<float> Diagonal(ConstMatrixView m) {
  std::vector<float> diagonal(m.rows);
  for (size_t i = 0; i < m.rows; ++i) diagonal[i] = m(i, i);
  return diagonal;
}

Matrix Correlation(ConstMatrixView covariance, std::span<const float> deviation) {
  Matrix correlation(covariance.rows, covariance.cols);
  for (size_t i = 0; i < correlation.rows(); ++i) {
    for (size_t j = 0; j < correlation.cols(); ++j) {
      correlation(i, j) = covariance(i, j) / (deviation[i] * deviation[j]);
    }
  }
  return correlation;
}

// A correlation with what is between two different entries shrunk by the damping of the diagonal.
Matrix Metric(ConstMatrixView correlation, float damping) {
  Matrix metric(correlation.rows, correlation.cols);
  for (size_t i = 0; i < metric.rows(); ++i) {
    for (size_t j = 0; j < metric.cols(); ++j) {
      metric(i, j) = i == j ? 1 : correlation(i, j) / (1 + damping);
    }
  }
  return metric;
}

Matrix Product(ConstMatrixView a, ConstMatrixView b, ThreadPool& pool) {
  Matrix product(a.rows, b.cols);
  Gemm(Op::kNone, a, Op::kNone, b, product, pool);
  return product;
}

}  // namespace

std::vector<float> FlooredImportance(std::span<const float> importance, size_t size) {
  if (importance.empty()) return std::vector<float>(size, 1.0f);
  const double mean = Mean(importance);
  if (!(mean > 0)) return std::vector<float>(size, 1.0f);
  const float floor = static_cast<float>(1e-6 * mean);
  std::vector<float> floored(importance.begin(), importance.end());
  for (float& value : floored) value = std::max(value, floor);
  return floored;
}

Objective MakeObjective(const FactorizeProblem& problem, bool covariances, float damping, ThreadPool& pool) {
  const ConstMatrixView w = problem.weight;
  Objective objective;
  objective.row_scale = SquareRoots(FlooredImportance(problem.output_importance, w.rows));
  if (covariances && problem.input_covariance.data != nullptr) {
    const ConstMatrixView h = problem.input_covariance;
    objective.col_scale = SquareRoots(FlooredImportance(Diagonal(h), w.cols));
    objective.input_metric = Metric(Correlation(h, objective.col_scale), damping);
  } else {
    objective.col_scale = SquareRoots(FlooredImportance(problem.input_importance, w.cols));
  }

  double square_sum = 0;
  for (size_t i = 0; i < w.rows; ++i) {
    for (size_t j = 0; j < w.cols; ++j) {
      const double value = static_cast<double>(objective.row_scale[i]) * w(i, j) * objective.col_scale[j];
      square_sum += value * value;
    }
  }
  const double size = static_cast<double>(w.rows) * static_cast<double>(w.cols);
  const double to_unit = std::sqrt(size / square_sum);
  for (float& scale : objective.row_scale) scale = static_cast<float>(scale * to_unit);

  objective.weight.Reshape(w.rows, w.cols);
  for (size_t i = 0; i < w.rows; ++i) {
    for (size_t j = 0; j < w.cols; ++j) {
      objective.weight(i, j) = objective.row_scale[i] * w(i, j) * objective.col_scale[j];
    }
  }
  if (covariances && problem.output_correlation.rows > 0) {
    objective.output_metric = Metric(problem.output_correlation, damping);
  }
  SetImage(objective, pool);
  return objective;
}

void SetImage(Objective& objective, ThreadPool& pool) {
  objective.image = Matrix();
  if (!objective.output_metric.empty()) {
    objective.image = Product(objective.output_metric, objective.weight, pool);
  }
  if (!objective.input_metric.empty()) {
    objective.image = Product(objective.weight_between_metrics(), objective.input_metric, pool);
  }
}

Objective WithoutOutputMetric(const Objective& objective, ThreadPool& pool) {
  Objective one_sided = objective;
  one_sided.output_metric = Matrix();
  SetImage(one_sided, pool);
  return one_sided;
}

FactoredWeight ToFactoredWeight(const Factors& factors, const Objective& objective) {
  FactoredWeight weight;
  weight.A = SignMatrix::FromDense(Transpose(factors.A_t));
  weight.B = SignMatrix::FromDense(factors.B);
  weight.mid = factors.mid;
  weight.a = factors.a;
  weight.b = factors.b;
  for (size_t i = 0; i < weight.a.size(); ++i) weight.a[i] /= objective.row_scale[i];
  for (size_t j = 0; j < weight.b.size(); ++j) weight.b[j] /= objective.col_scale[j];
  weight.RoundScalesToHalf();
  return weight;
}

}  // namespace addend
