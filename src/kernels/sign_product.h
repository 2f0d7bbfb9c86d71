// Products with sign matrices: what a compressed model spends its time in. Only additions touch the
// activations. Signs are stored in plain order (tensor/sign_matrix.h) and repacked here into what the target
// in use wants.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/threads.h"
#include "kernels/precision.h"
#include "kernels/target.h"
#include "kernels/weight_memory.h"
#include "tensor/factored_weight.h"
#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend {

struct SignKernels;  // kernels/sign_kernels.h: what each target provides

// A sign matrix ready to be multiplied. Products run on the target that it was packed for.
class PackedSigns {
 public:
  PackedSigns() = default;
  // In memory of its own, or in what it shares with others. Copies share it too: packed signs never change.
  explicit PackedSigns(const SignMatrix& signs, Target target = CurrentTarget());
  PackedSigns(const SignMatrix& signs, WeightMemory& memory, Target target = CurrentTarget());
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  const SignKernels& kernels() const { return *kernels_; }  // not for an empty matrix
  const uint8_t* bytes() const { return bytes_.get(); }     // layout: kernels/sign_kernels.h

 private:
  size_t rows_ = 0, cols_ = 0;
  const SignKernels* kernels_ = nullptr;
  std::shared_ptr<const uint8_t[]> bytes_;
};

// y[t][r] = sum over c of signs(r, c) * x[t][c].   x: (tokens, cols), y: (tokens, rows), any sizes.
// The result is the same for any number of threads. Few and many tokens take different kernels, so a token's
// result depends on how many come with it, within the error bound. A token with a value that is not finite
// gets outputs that are not finite; values below 1e-30 may count as zero.
// Throws Error when the shapes do not fit.
void SignProduct(const PackedSigns& signs, ConstMatrixView x, MatrixView y, ThreadPool& pool,
                 Precision precision = Precision::kNear);

// A factored weight ready to run: y = a * (A (mid * (B (b * x)))).
class PackedFactors {
 public:
  PackedFactors() = default;
  // Throws Error when the shapes of its parts do not fit.
  PackedFactors(const FactoredWeight& weight, WeightMemory& memory, Target target = CurrentTarget());
  size_t outputs() const { return A_.rows(); }
  size_t inputs() const { return B_.cols(); }
  size_t rank() const { return A_.cols(); }
  // x: (tokens, inputs), y: (tokens, outputs). As SignProduct otherwise.
  void Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision = Precision::kNear) const;

 private:
  // In the order in which they are read, so that whatever is being read asks for the next in time. Scales are
  // filled up with zeros to whole tiles and blocks.
  using Scales = std::shared_ptr<const float[]>;
  Scales b_;
  PackedSigns B_;
  Scales mid_;
  PackedSigns A_;
  Scales a_;
};

}  // namespace addend
