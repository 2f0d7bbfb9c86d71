// A linear layer, or the head, made ready to run.
#pragma once
#include <variant>
#include <vector>

#include "base/threads.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "tensor/matrix.h"

namespace addend {

// y = W x + bias. A factored weight is repacked for this CPU. A dense one stays where it is (most often in
// the mapped file) and is decoded on the fly at each use; only block types without a kernel (HasDenseKernel)
// are decoded once, to F16, because decoding them for every token would take many times as long as reading
// them.
class RunnableLinear {
 public:
  // `memory`: for what is repacked.
  RunnableLinear(const Linear& linear, WeightMemory& memory, ThreadPool& pool);

  size_t outputs() const;
  size_t inputs() const;

  // x: tokens x inputs, y: tokens x outputs. The result is the same for any number of threads.
  void Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision) const;

 private:
  std::variant<StoredMatrix, PackedFactors> weight_;
  std::vector<float> bias_;
};

}  // namespace addend
