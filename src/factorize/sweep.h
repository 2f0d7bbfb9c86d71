// Coordinate updates of one binary factor with everything else fixed: the inner loops of annealing and of
// flips.
//
// With the other factor and the scales fixed, a factor S (r x n, one column for each output or input) has the
// energy
//   E = sum_ij  s_i^T q s_j  c_i c_j H_ij  -  2 sum_i c_i s_i . f_i
// where q (r x r) is the Gram matrix of the other factor, f (r x n) its product with the weight, c the scale
// of each column and H the metric between columns (unit diagonal). The force on one entry, without its own
// contribution, is
//   g_ki = f_ki / c_i - sum_{l, j} q_kl s_lj H_ji c_j / c_i + q_kk s_ki
// and a pass sets each entry in turn to a function of its force, as `SweepRule` says.
#pragma once
#include <span>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

// Relaxed (annealing): s <- tanh(beta (g - (1 - memory) q_kk s) / mean diag q), the naive mean field with a
// part of the entry's reaction on itself taken back. Hard (flips): s <- sign(g), which never raises E.
struct SweepRule {
  bool hard = true;
  float beta = 1;
  float memory = 1;
};

// One pass over S for H = identity: the columns are independent. Every q symmetric; c may hold zeros.
void SweepIndependent(ConstMatrixView q, ConstMatrixView f, std::span<const float> c, const SweepRule& rule,
                      MatrixView s, ThreadPool& pool);

// The same for a metric H (n x n), column after column, `passes` times over each before the next. The force
// of each column counts what was changed in the columns before it. f_t is f transposed (n x r).
void SweepCoupled(ConstMatrixView q, ConstMatrixView f_t, std::span<const float> c, ConstMatrixView metric,
                  const SweepRule& rule, size_t passes, MatrixView s, ThreadPool& pool);

}  // namespace addend
