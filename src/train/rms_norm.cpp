#include "train/rms_norm.h"

#include <cmath>

#include "kernels/vector_ops.h"
#include "train/row_math.h"

namespace addend {
namespace {

float InverseRms(std::span<const float> x, float epsilon) {
  return 1 / std::sqrt(Dot(x, x) / static_cast<float>(x.size()) + epsilon);
}

}  // namespace

void RmsNorm(ConstMatrixView x, std::span<const float> gain, float epsilon, MatrixView y,
             Workspace& workspace) {
  workspace.ForChunks(x.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) RmsNorm(x.Row(t), gain, epsilon, y.Row(t));
  });
}

void RmsNormBackward(ConstMatrixView x, std::span<const float> gain, float epsilon, ConstMatrixView dy,
                     MatrixView dx, std::span<float> d_gain, Workspace& workspace) {
  workspace.SumChunks(
      x.rows, kTokenChunk, d_gain, [&](size_t first, size_t count, std::span<float> d_gain_sums) {
        const Borrowed gained = workspace.Borrow(1, x.cols);  // gain * dy: the gradient of x / rms
        for (size_t t = first; t < first + count; ++t) {
          const float inverse = InverseRms(x.Row(t), epsilon);
          Multiply(1, gain, dy.Row(t), gained.Row(0));
          const float mean = Dot(gained.Row(0), x.Row(t)) / static_cast<float>(x.cols);
          Axpy(inverse, gained.Row(0), dx.Row(t));
          Axpy(-inverse * inverse * inverse * mean, x.Row(t), dx.Row(t));
          if (!d_gain.empty()) MultiplyAdd(inverse, x.Row(t), dy.Row(t), d_gain_sums);
        }
      });
}

}  // namespace addend
