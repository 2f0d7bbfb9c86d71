// The second moments H = X^T X / tokens of what goes into the linear layers of the dense model, block by
// block.
#pragma once
#include "base/threads.h"
#include "calibrate/sequences.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "train/train_block.h"
#include "train/workspace.h"

namespace addend {

// q, k and v read the same input; so do gate and up.
struct BlockCovariance {
  Matrix qkv, o, gate_up, down;  // each symmetric, (inputs, inputs)
  Matrix& For(LinearKind kind);
};

// Walks the dense model's blocks in order with the hidden states of all sequences in memory:
//   DenseStream stream(model, sequences, pool);
//   for (each block) covariance = stream.Next();  // or Skip(), which only moves the hidden states on
// After the last block, Hidden() is what enters the final norm.
class DenseStream {
 public:
  // All sequences have the same length.
  DenseStream(const Model& model, SequenceSpan sequences, ThreadPool& pool,
              Precision precision = Precision::kExact);
  BlockCovariance Next();
  void Skip();
  size_t next_block() const { return next_; }
  const Matrix& Hidden() const { return hidden_; }  // (sequences * length, hidden)

 private:
  void Advance(BlockCovariance* covariance);
  const Model& model_;
  Workspace workspace_;
  BlockTape tape_{.for_backward = false};  // keeps its memory
  Precision precision_;
  size_t length_ = 0;
  size_t next_ = 0;
  Matrix hidden_;
};

}  // namespace addend
