// Products with sign matrices: what a compressed model spends its time in. Only additions touch the
// activations. Signs are stored in plain order (tensor/sign_matrix.h) and repacked here into what the target
// in use wants.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "base/threads.h"
#include "kernels/target.h"
#include "tensor/factored_weight.h"
#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend {

class PackedSigns {
 public:
  PackedSigns() = default;
  explicit PackedSigns(const SignMatrix& signs);
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }

 private:
  friend struct SignKernels;  // the targets' access to the packed bytes
  size_t rows_ = 0, cols_ = 0;
  AlignedVector<uint8_t> bytes_;
};

enum class Precision {
  kNear,   // activations at about 14 bits: relative error of a product below 0.05 %
  kExact,  // float32 sums
};

// y[t][r] = sum over c of signs(r, c) * x[t][c].   x: (tokens, cols), y: (tokens, rows), any sizes.
// The result is the same for any number of threads, and a token's result does not depend on the other tokens
// of the call only within the error bound (few and many tokens take different kernels).
void SignProduct(const PackedSigns& signs, ConstMatrixView x, MatrixView y, ThreadPool& pool,
                 Precision precision = Precision::kNear);

// A factored weight ready to run: y = a * (A (mid * (B (b * x)))).
class PackedFactors {
 public:
  PackedFactors() = default;
  explicit PackedFactors(const FactoredWeight& weight);
  size_t outputs() const { return a_.size(); }
  size_t inputs() const { return b_.size(); }
  void Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision = Precision::kNear) const;

 private:
  PackedSigns A_, B_;
  std::vector<float> a_, mid_, b_;
};

}  // namespace addend
