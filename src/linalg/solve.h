// Solvers on whole symmetric matrices, and the rank-1 envelope of a matrix's magnitudes.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

// The Cholesky factorization A = L L^T of a symmetric positive definite matrix.
class Cholesky {
 public:
  // Reads the lower triangle of `a`, which must be square. Throws Error naming the pivot when the matrix is
  // not positive definite (or not finite): the caller adds to the diagonal what its problem allows.
  explicit Cholesky(Matrix a);

  size_t size() const { return factor_.rows(); }
  // x := A^-1 x; each column of x (size() rows) is a right-hand side. The same result for any number of
  // threads.
  void Solve(MatrixView x, ThreadPool& pool) const;
  void Solve(std::span<float> x) const;  // one right-hand side
  // L in the lower triangle; above it what the caller's matrix held.
  const Matrix& factor() const { return factor_; }

 private:
  Matrix factor_;
};

// Improves x towards A x = rhs, A symmetric positive semidefinite, by conjugate gradients preconditioned with
// the diagonal. The quadratic x^T A x - 2 rhs^T x never grows, so any number of iterations is a valid stop; a
// singular A is no trouble, and a coordinate with a zero diagonal stays as it is. Stops when the residual is
// `tolerance` times the right-hand side (both in the norm of the inverse diagonal). Returns the iterations
// done. Meant for systems that are too large, or too near singular, to factor.
size_t ConjugateGradient(ConstMatrixView a, std::span<const float> rhs, std::span<float> x,
                         size_t max_iterations, double tolerance);

// row[i] * col[j] ~= |v(i, j)|: the best rank-1 approximation, by power iteration from the row means. Both
// are nonnegative; |row| has the root-mean-square size of |col|. All zero for a zero matrix.
struct Envelope {
  std::vector<float> row, col;
};
Envelope PowerIteration(ConstMatrixView v, size_t iterations = 5);

}  // namespace addend
