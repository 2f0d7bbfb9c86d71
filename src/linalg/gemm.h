// Dense products over OpenBLAS, which is kept at one thread; parallelism is ours, in tiles of fixed size, so
// that the result is the same for any number of threads.
#pragma once
#include <string>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

enum class Op { kNone, kTranspose };

// c = alpha * op(a) * op(b) + beta * c. Throws Error naming the shapes when they do not fit.
void Gemm(Op op_a, ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c, ThreadPool& pool,
          float alpha = 1, float beta = 0);

// c += alpha * a^T a, both triangles filled; c: (a.cols, a.cols), symmetric before and after.
void AddGram(ConstMatrixView a, float alpha, MatrixView c, ThreadPool& pool);
// The same for rows: c += alpha * a a^T; c: (a.rows, a.rows).
void AddRowGram(ConstMatrixView a, float alpha, MatrixView c, ThreadPool& pool);

// Compares the library's product with one in double precision at a few shapes. Returns "" when they agree,
// else what is wrong: old AVX-512 kernels of OpenBLAS were wrong on some CPUs.
std::string CheckBlas();
std::string BlasKernels();  // the name of the CPU kernels that OpenBLAS chose: "Haswell", "SkylakeX"

}  // namespace addend
