// A linear layer, or the head, made ready to run.
#pragma once
#include <variant>
#include <vector>

#include "base/threads.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "tensor/matrix.h"

namespace addend {

// y = W x + bias. A factored weight is repacked for this CPU. A dense one stays as it is stored (a view of
// the mapped file, most often) in any type: it is decoded tile by tile at each use, so running a dense model
// takes no memory for weights beyond the file.
class RunnableLinear {
 public:
  explicit RunnableLinear(const Linear& linear);
  explicit RunnableLinear(const StoredMatrix& weight) : weight_(weight) {}

  size_t outputs() const;
  size_t inputs() const;

  // x: tokens x inputs, y: tokens x outputs. The result is the same for any number of threads.
  void Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision) const;

 private:
  std::variant<StoredMatrix, PackedFactors> weight_;
  std::vector<float> bias_;
};

}  // namespace addend
