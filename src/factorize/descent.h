// Improves two binary factors on the whole objective, metrics included: scales in closed form, annealing,
// flips.
//
// Two views of the same error make every step cheap. With one factor and all but the other's scales fixed,
// the error is quadratic in the other, whose columns its metric couples (sweep.h):
//   A moves:  Z = diag(mid) B diag(b),      q = Z input_metric Z^T,   f = Z image^T
//   B moves:  Z^T = diag(a) A diag(mid),    q = Z output_metric Z^T,  f = Z image
// image = output_metric weight input_metric.
#pragma once
#include "base/threads.h"
#include "factorize/objective.h"
#include "factorize/sweep.h"
#include "linalg/gemm.h"

namespace addend {

// beta rises geometrically and memory linearly from the first to the last step.
struct AnnealSchedule {
  size_t steps = 0;
  float first_beta = 2, last_beta = 10;
  float first_memory = 0.3f, last_memory = 0.85f;
};

class Descent {
 public:
  // All are kept by reference. `factors` holds signs whenever no function runs, and is valid at all times.
  Descent(const Objective& objective, Factors& factors, ThreadPool& pool);

  // Least squares for mid, a and b in turn. Never raises the error. Afterwards scales are not negative, and
  // the mean of a and of b is 1.
  void FitScales();
  // Flips single signs while that helps, with FitScales after each round; at most `max_rounds`. Never raises
  // the error.
  void Flip(size_t max_rounds);
  // Relaxes both factors to [-1, 1], hardens them along the schedule, fits the scales. An interrupt leaves
  // them relaxed.
  void Anneal(const AnnealSchedule& schedule);
  // A alone, with everything else as it is, and no output metric: annealed from nothing, then flipped, and a
  // fitted. Takes about how large a should be from what it is.
  void SolveA(const AnnealSchedule& schedule, size_t flip_rounds);

 private:
  // A factor with its scales and the metric between its columns.
  struct Side {
    Matrix& factor;
    std::vector<float>& scales;
    const Matrix& metric;
    Op image;  // what brings the image to (columns of the other side, columns of this side)
  };

  void ComputeForces(const Side& fixed, std::span<const float> mid, bool transposed);
  void Sweep(const Side& fixed, const Side& moving, const SweepRule& rule, size_t passes);
  void FitMid();
  void FitColumns(const Side& moving);

  const Objective& objective_;
  Factors& factors_;
  Side A_, B_;
  ThreadPool& pool_;
  Matrix q_, f_;          // of the factor that moves
  Matrix fixed_, image_;  // Z, and its product with its metric
};

}  // namespace addend
