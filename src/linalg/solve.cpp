#include "linalg/solve.h"

#include <cblas.h>
#include <f77blas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "linalg/blas_setup.h"

namespace addend {
namespace {

constexpr size_t kChunk = 192;  // columns of right-hand sides in one call, as in gemm.cpp

double Dot(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * y[i];
  return sum;
}

// y = op(A) x
void Multiply(CBLAS_TRANSPOSE op, ConstMatrixView a, std::span<const float> x, std::span<float> y) {
  cblas_sgemv(CblasRowMajor, op, static_cast<blasint>(a.rows), static_cast<blasint>(a.cols), 1, a.data,
              static_cast<blasint>(a.stride), x.data(), 1, 0, y.data(), 1);
}

// Scales x to length 1, if it is not zero; returns its length before.
float Normalize(std::span<float> x) {
  const float length = static_cast<float>(std::sqrt(Dot(x, x)));
  if (length > 0) {
    for (float& value : x) value /= length;
  }
  return length;
}

}  // namespace

Cholesky::Cholesky(Matrix a) : factor_(std::move(a)) {
  if (factor_.rows() != factor_.cols()) {
    throw Error("Cholesky: the matrix is [", factor_.rows(), ", ", factor_.cols(),
                "], a square one is needed");
  }
  if (factor_.size() == 0) return;
  SetUpBlas();
  // Our row-major lower triangle is LAPACK's column-major upper one: U^T U with U = L^T.
  char upper = 'U';
  blasint size = static_cast<blasint>(factor_.rows()), info = 0;
  BLASFUNC(spotrf)(&upper, &size, factor_.data(), &size, &info);
  if (info != 0)
    throw Error("Cholesky: the matrix is not positive definite at pivot ", info - 1, " of ", size);
  for (size_t i = 0; i < factor_.rows(); ++i) {
    if (!std::isfinite(factor_(i, i))) throw Error("Cholesky: pivot ", i, " of ", size, " is not finite");
  }
}

void Cholesky::Solve(MatrixView x, ThreadPool& pool) const {
  if (x.rows != size()) throw Error("Cholesky: ", x.rows, " rows of right-hand sides, ", size(), " needed");
  const blasint n = static_cast<blasint>(size()), stride = static_cast<blasint>(x.stride);
  pool.For((x.cols + kChunk - 1) / kChunk, [&](size_t i) {
    const blasint count = static_cast<blasint>(std::min(kChunk, x.cols - i * kChunk));
    float* columns = x.data + i * kChunk;
    for (const CBLAS_TRANSPOSE op : {CblasNoTrans, CblasTrans}) {
      cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, op, CblasNonUnit, n, count, 1, factor_.data(), n,
                  columns, stride);
    }
  });
}

void Cholesky::Solve(std::span<float> x) const {
  if (x.size() != size()) throw Error("Cholesky: a right-hand side of ", x.size(), ", ", size(), " needed");
  const blasint n = static_cast<blasint>(size());
  for (const CBLAS_TRANSPOSE op : {CblasNoTrans, CblasTrans}) {
    cblas_strsv(CblasRowMajor, CblasLower, op, CblasNonUnit, n, factor_.data(), n, x.data(), 1);
  }
}

size_t ConjugateGradient(ConstMatrixView a, std::span<const float> rhs, std::span<float> x,
                         size_t max_iterations, double tolerance) {
  const size_t n = a.rows;
  if (a.cols != n || rhs.size() != n || x.size() != n) {
    throw Error("conjugate gradients: matrix [", n, ", ", a.cols, "], right-hand side ", rhs.size(),
                ", solution ", x.size());
  }
  SetUpBlas();
  // Directions in which the diagonally scaled matrix is flatter than this are its null space, up to rounding.
  constexpr double kFlat = 1e-6;
  std::vector<float> diagonal(n), residual(n), preconditioned(n), direction(n), image(n);
  for (size_t i = 0; i < n; ++i) diagonal[i] = std::max(a(i, i), 0.0f);
  const auto precondition = [&](std::span<const float> from) {
    for (size_t i = 0; i < n; ++i) preconditioned[i] = diagonal[i] > 0 ? from[i] / diagonal[i] : 0;
    return Dot(from, preconditioned);
  };
  const double goal = tolerance * tolerance * precondition(rhs);
  Multiply(CblasNoTrans, a, x, residual);
  for (size_t i = 0; i < n; ++i) residual[i] = rhs[i] - residual[i];
  double rho = precondition(residual);
  direction = preconditioned;
  size_t iteration = 0;
  for (; iteration < max_iterations && rho > goal; ++iteration) {
    Multiply(CblasNoTrans, a, direction, image);
    double scale = 0;
    for (size_t i = 0; i < n; ++i) scale += static_cast<double>(direction[i]) * diagonal[i] * direction[i];
    const double curvature = Dot(direction, image);
    if (!(curvature > kFlat * scale)) break;
    const float step = static_cast<float>(rho / curvature);
    for (size_t i = 0; i < n; ++i) {
      x[i] += step * direction[i];
      residual[i] -= step * image[i];
    }
    const double previous = std::exchange(rho, precondition(residual));
    const float keep = static_cast<float>(rho / previous);
    for (size_t i = 0; i < n; ++i) direction[i] = preconditioned[i] + keep * direction[i];
  }
  return iteration;
}

Envelope PowerIteration(ConstMatrixView v, size_t iterations) {
  Envelope envelope{std::vector<float>(v.rows), std::vector<float>(v.cols)};
  if (v.rows == 0 || v.cols == 0) return envelope;
  SetUpBlas();
  Matrix magnitude(v.rows, v.cols);
  for (size_t i = 0; i < v.rows; ++i) {
    std::transform(v.Row(i).begin(), v.Row(i).end(), magnitude.Row(i).begin(),
                   [](float value) { return std::abs(value); });
  }
  // Unit vectors; one round is col = |v|^T row, row = |v| col.
  std::vector<float>&row = envelope.row, &col = envelope.col;
  std::fill(col.begin(), col.end(), 1.0f);
  Multiply(CblasNoTrans, magnitude, col, row);
  float size = Normalize(row);
  for (size_t iteration = 0; iteration < iterations && size > 0; ++iteration) {
    Multiply(CblasTrans, magnitude, row, col);
    Normalize(col);
    Multiply(CblasNoTrans, magnitude, col, row);
    size = Normalize(row);
  }
  const double n = static_cast<double>(v.rows), m = static_cast<double>(v.cols);
  const double even =
      std::sqrt(size / std::sqrt(n * m));  // the size, spread so that both have the same mean square
  for (float& value : row) value = static_cast<float>(value * std::sqrt(n) * even);
  for (float& value : col) value = static_cast<float>(value * std::sqrt(m) * even);
  return envelope;
}

}  // namespace addend
