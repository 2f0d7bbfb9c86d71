// Improves two binary factors on the whole objective, metric included: scales in closed form, annealing,
// flips.
//
// Two views of the same error make every step cheap. With the second factor fixed, Y = diag(mid) B diag(b) (r
// x m):
//   output side:  q = Y metric Y^T,  f = Y metric weight^T          error(A, a)  quadratic in the rows of A
// and with the first factor fixed, X^T = diag(a) A diag(mid) (n x r):
//   input side:   q = X X^T,         f = X weight metric             error(B, b)  quadratic in B, its columns
//   coupled by the metric
#pragma once
#include "base/threads.h"
#include "factorize/objective.h"
#include "factorize/sweep.h"

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
  // A alone, with everything else as it is: annealed from nothing, then flipped, and a fitted. Takes about
  // how large a should be from what it is.
  void SolveA(const AnnealSchedule& schedule, size_t flip_rounds);

 private:
  void ComputeOutputSide(bool with_mid);
  void ComputeInputSide(bool transposed);
  void SweepA(const SweepRule& rule, size_t passes);
  void SweepB(const SweepRule& rule, size_t passes);
  void FitMidAndA();
  void FitColumns(const Matrix& factor, std::vector<float>& scales);
  void FitB();

  const Objective& objective_;
  Factors& factors_;
  ThreadPool& pool_;
  Matrix q_, f_;           // of the side computed last
  Matrix scaled_, image_;  // Y or X, and Y metric
};

}  // namespace addend
