// What the kernels compute, in double precision and as plainly as possible: what the self-test and the tests
// compare with.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/dense_product.h"
#include "tensor/factored_weight.h"
#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend::reference {

struct DoubleMatrix {
  DoubleMatrix(size_t row_count, size_t col_count) : rows(row_count), cols(col_count), values(rows * cols) {}
  double& operator()(size_t r, size_t c) { return values[r * cols + c]; }
  double operator()(size_t r, size_t c) const { return values[r * cols + c]; }
  size_t rows, cols;
  std::vector<double> values;
};

// y(t, r), with the arguments of the function of the same name.
DoubleMatrix SignProduct(const SignMatrix& signs, ConstMatrixView x);
DoubleMatrix Apply(const FactoredWeight& weight, ConstMatrixView x);
DoubleMatrix DenseProduct(const StoredRows& w, ConstMatrixView x);
template <typename T>
DoubleMatrix Attention(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
                       const AttentionOptions& options);

using Doubles = std::vector<double>;
Doubles RmsNorm(std::span<const float> x, std::span<const float> gain, float epsilon);
Doubles Softmax(std::span<const float> values);
Doubles SiluGate(std::span<const float> gate, std::span<const float> up);
Doubles GeluTanhGate(std::span<const float> gate, std::span<const float> up);
Doubles Softcap(float cap, std::span<const float> values);
Doubles Rope(std::span<const float> head, std::span<const float> cosines, std::span<const float> sines);

}  // namespace addend::reference
