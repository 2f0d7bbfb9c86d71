// Signs that learn. Each sign stands for a latent number in [-1, 1]: the model runs on the sign, the gradient
// of the sign moves the latent as if it were the sign (the straight-through estimator of BinaryConnect,
// Courbariaux et al., arXiv 1511.00363), and the sign follows when the latent passes zero. A latent starts at
// the sign itself, so it says how many votes against its sign are still needed.
//
// Each step is the gradient over its root mean square, which is estimated from means over rows and columns
// (Adafactor, Shazeer and Stern, arXiv 1804.04235): the gradient of a sign is proportional to the scales of
// its row and column, so the estimate is a good one, and it takes no memory for each sign. Signs whose
// gradients are small against others of their matrix are favoured: a step goes with (root mean square)^-1.5
// instead of -1. (Curvatures go with the mean square, so -2 would be Newton's step; block tuning did best
// between the two.)
#pragma once
#include <cstdint>
#include <vector>

#include "base/threads.h"
#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend {

class SignLatents {
 public:
  // Everything that a later process needs to go on with the same result bit for bit.
  struct State {
    std::vector<int16_t> latents;                 // row-major, in units of 1/32767
    std::vector<float> row_squares, col_squares;  // running means of the squared gradient
    uint64_t steps = 0;
    bool operator==(const State&) const = default;
  };

  SignLatents() = default;
  explicit SignLatents(const SignMatrix& signs);
  SignLatents(State state, size_t rows, size_t cols);  // throws Error when its sizes do not fit

  // Moves each latent by -learning_rate * gradient / (its root mean square) * favour. Returns how many signs
  // changed.
  size_t Step(ConstMatrixView gradient, float learning_rate);

  const SignMatrix& signs() const { return signs_; }
  const State& state() const { return state_; }

 private:
  void UpdateSquares(ConstMatrixView gradient);
  void FollowLatents(size_t row);

  SignMatrix signs_;
  State state_;
};

}  // namespace addend
