// The problem in the coordinates in which every method works: importances and scales are absorbed, so that
//   error = || output_metric^(1/2) (weight - What) input_metric^(1/2) ||_F^2
// with metrics of unit diagonal (the identity where covariances are unknown or unwanted).
#pragma once
#include <vector>

#include "factorize/factorize.h"
#include "tensor/matrix.h"

namespace addend {

struct Objective {
  Matrix weight;                 // n x m: diag(row_scale) W diag(col_scale); mean square 1
  Matrix output_metric;          // n x n, or empty: identity
  Matrix input_metric;           // m x m, or empty: identity
  Matrix image;                  // output_metric weight input_metric; empty without metrics
  std::vector<float> row_scale;  // n, positive
  std::vector<float> col_scale;  // m, positive

  size_t outputs() const { return weight.rows(); }
  size_t inputs() const { return weight.cols(); }
  const Matrix& weight_between_metrics() const { return image.empty() ? weight : image; }
};

// `covariances`: whether the metrics are the damped covariance of the inputs and correlation of the outputs
// (where the problem has them) or the identity. The problem is valid (Factorize checks), and its weight is
// not zero.
Objective MakeObjective(const FactorizeProblem& problem, bool covariances, float damping, ThreadPool& pool);

// Sets `image` to what weight and metrics are.
void SetImage(Objective& objective, ThreadPool& pool);

Objective WithoutOutputMetric(const Objective& objective, ThreadPool& pool);

// Importances with their floor of 1e-6 of the mean; ones for an empty span, or when all are zero.
std::vector<float> FlooredImportance(std::span<const float> importance, size_t size);

// Two factors and their scales in these coordinates: weight ~= diag(a) A diag(mid) B diag(b). Entries of A
// and B are +-1, or between while they are relaxed. A is kept transposed: both factors then have a column for
// each output or input.
struct Factors {
  Matrix A_t;  // r x n
  Matrix B;    // r x m
  std::vector<float> a, mid, b;

  size_t rank() const { return B.rows(); }
};

// The factors in the coordinates of the problem, as a file holds them: signs, and scales rounded to fp16.
FactoredWeight ToFactoredWeight(const Factors& factors, const Objective& objective);

}  // namespace addend
