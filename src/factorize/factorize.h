// One weight in, one FactoredWeight out:  W (n x m) ~= diag(a) A diag(mid) B diag(b),  A: n x r signs, B: r x
// m signs.
//
// What "close" means is given with the weight. With X the inputs of the layer and g the gradients at its
// outputs,
//   weighted error:  || sqrt(o) (W - What) sqrt(i) ||_F^2                     o = mean g^2, i = mean x^2
//   output error:    tr( (W - What)^T diag(o) (W - What) H )                  H = X^T X / tokens
// both relative to the same of W alone. The second is the error of the layer's output, weighted by what each
// output does to the loss. A method minimises it where H is given; where the correlations C between the
// output gradients are known too, what outputs do together, with sqrt(o) C sqrt(o) in place of diag(o): the
// Kronecker-factored Hessian of the loss (as YAQA does for other quantisers, arXiv 2505.22988).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/threads.h"
#include "tensor/factored_weight.h"
#include "tensor/matrix.h"

namespace addend {

struct FactorizeProblem {
  ConstMatrixView weight;                    // n x m
  std::span<const float> output_importance;  // o: n mean squared output gradients; empty = ones
  std::span<const float> input_importance;   // i: m mean squared inputs; empty = ones
  ConstMatrixView input_covariance;          // H: m x m, symmetric; data == nullptr when there is none
  // C: n x n, symmetric, its diagonal all ones; data == nullptr or 0 x 0 when there is none.
  ConstMatrixView output_correlation;
};

enum class Effort { kFast, kDefault, kBest };

struct FactorizeOptions {
  std::string method = "dbf";  // one of FactorizeMethods()
  Effort effort = Effort::kDefault;
  size_t rank = 0;  // r; RankForBits gives it for a rate. At least 1; more than min(n, m) is allowed
  uint64_t seed = 1;
  // Of a matrix with many more rows than columns: how many rows, those of the greatest output importance, B,
  // mid and b are fitted to; then A follows row by row. 0, or no fewer than there are: all.
  size_t fitted_rows = 0;

  // Steps of the ADMM: the whole of "dbf-admm" and "nanoquant-admm", the start of "dbf". 0 = by method and
  // effort.
  size_t admm_steps = 0;
  // Steps of the annealing of "dbf". 0 = by effort; with H, "fast" has none.
  size_t anneal_steps = 0;
  // H and C are estimated from finitely many tokens: their diagonals count (1 + covariance_damping) times.
  // 0.3 suits 16 thousand tokens, and anything from 0.1 to 0.5 is within 3 %; less with more text.
  float covariance_damping = 0.3f;
};

struct FactorizeResult {
  FactoredWeight weight;  // its scales are already rounded to fp16, as a file holds them
  // Both relative, and 0 when the weighted matrix is zero.
  double weighted_error = 0;
  double output_error = 0;  // with H as given, undamped; equals weighted_error when there is no H
  // What output_error is relative to: tr(W^T diag(o) W H), or the weighted square of W when there is no H.
  double output_energy = 0;
  double seconds = 0;  // wall clock
};

// The same result for the same problem, options and BLAS kernels, whatever the number of threads.
// Importances and the diagonal of H are floored at 1e-6 of their mean: what never fired in calibration may
// still fire. Throws Error for shapes that do not fit, rank 0, an unknown method, or values that are not
// finite (or, for importances and the diagonal of H, negative); Interrupted after Ctrl-C. A zero matrix, zero
// rows or columns and inputs that never fired are valid.
FactorizeResult Factorize(const FactorizeProblem& problem, const FactorizeOptions& options, ThreadPool& pool);

struct MethodInfo {
  std::string_view name;
  std::string_view description;  // one line
  std::string_view source;       // the paper, or where it is described
};
std::span<const MethodInfo> FactorizeMethods();

}  // namespace addend
