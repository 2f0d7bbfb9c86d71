// Products of dense weights, as files store them, with the activations of few tokens: decoding is limited by
// how fast the weights come from memory, so they are decoded on the fly.
#pragma once
#include <cstddef>
#include <span>

#include "base/threads.h"
#include "kernels/precision.h"
#include "tensor/dtype.h"
#include "tensor/matrix.h"

namespace addend {

// A (rows x cols) matrix in a file type, row-major; a view.
struct StoredRows {
  DType type = DType::kF32;
  size_t rows = 0, cols = 0;
  std::span<const std::byte> bytes;
};

// F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0. Other types are to be decoded to one of these when the model
// is loaded.
bool HasDenseKernel(DType type);

// y[t][r] = sum over c of w(r, c) * x[t][c].   x: (tokens, cols), y: (tokens, rows).
// kExact, and plain types in any case: float32 sums, whose error is at most about cols / 4 * 2^-24 of sum |w
// x|. kNear, on targets that multiply bytes: block types see activations of 14 bits for each 32 columns, and
// the relative error is that of kNear sign products. The same result for any number of threads. Made for up
// to about 8 tokens; for more, decoding tiles of rows and a gemm is faster. A token with a value that is not
// finite gets outputs that are not finite. Throws Error when the shapes or the size of w.bytes do not fit, or
// !HasDenseKernel(w.type).
void DenseProductFew(const StoredRows& w, ConstMatrixView x, MatrixView y, ThreadPool& pool,
                     Precision precision = Precision::kNear);

}  // namespace addend
