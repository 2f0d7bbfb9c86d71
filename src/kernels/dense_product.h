// Products of dense weights, as files store them, with the activations of few tokens: decoding is limited by
// how fast the weights come from memory, so they are decoded on the fly, and the activations stay float32.
#pragma once
#include <cstddef>
#include <span>

#include "base/threads.h"
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
// Float32 sums: the error is at most about cols / 4 * 2^-24 of sum |w x|. The same result for any number of
// threads. Made for up to about 8 tokens; for more, decoding tiles of rows and a gemm is faster. Throws Error
// when the shapes or the size of w.bytes do not fit, or !HasDenseKernel(w.type).
void DenseProductFew(const StoredRows& w, ConstMatrixView x, MatrixView y, ThreadPool& pool);

}  // namespace addend
