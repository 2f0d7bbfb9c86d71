// y = gain * x / sqrt(mean(x^2) + epsilon), row by row, forward and backward.
#pragma once
#include <span>

#include "tensor/matrix.h"
#include "train/workspace.h"

namespace addend {

// x, y: (rows, gain.size()); y may be x.
void RmsNorm(ConstMatrixView x, std::span<const float> gain, float epsilon, MatrixView y,
             Workspace& workspace);

// dx += the gradient of x from dy, that of y; d_gain += that of the gain unless it is empty. dx may not be
// dy.
void RmsNormBackward(ConstMatrixView x, std::span<const float> gain, float epsilon, ConstMatrixView dy,
                     MatrixView dx, std::span<float> d_gain, Workspace& workspace);

}  // namespace addend
