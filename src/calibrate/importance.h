// How much each input and each output of every linear layer matters to the loss of the dense model: the
// diagonal weights of the factorization (Double Binary Factorization, arXiv 2505.11076, section 3.2), and how
// outputs matter together (the output side of a Kronecker-factored Hessian, as in YAQA, arXiv 2505.22988).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/sequences.h"
#include "model/model.h"
#include "tensor/matrix.h"

namespace addend {

// A symmetric matrix with a diagonal of ones, its entries in fp16: half of them, at half the size.
class CorrelationMatrix {
 public:
  CorrelationMatrix() = default;  // none
  // Of a matrix of second moments (n x n, symmetric). What never moves correlates with nothing.
  explicit CorrelationMatrix(ConstMatrixView moments);
  // Throws Error unless there are n (n - 1) / 2 values.
  CorrelationMatrix(size_t size, std::vector<uint16_t> below_diagonal);

  bool empty() const { return size_ == 0; }
  Matrix ToDense() const;
  std::span<const uint16_t> below_diagonal() const { return below_diagonal_; }  // row by row

 private:
  size_t size_ = 0;
  std::vector<uint16_t> below_diagonal_;
};

// Layers of more outputs get no correlations: their number grows with the square.
inline constexpr size_t kMostCorrelatedOutputs = 2048;

struct LinearImportance {
  std::vector<float> input;              // for each input j: mean over tokens of x_j^2
  std::vector<float> output;             // for each output k: mean over tokens of (dLoss / dy_k)^2
  CorrelationMatrix output_correlation;  // of dLoss / dy; none beyond kMostCorrelatedOutputs
};
using BlockImportance = std::array<LinearImportance, kLinearKinds.size()>;  // by LinearKind
using ModelImportance = std::vector<BlockImportance>;

// Loss = mean next-token cross entropy of each sequence. All sequences have the same length, at least 2.
// Sequences go through the model in groups, forward and then backward, so memory holds one block's weights
// and the block inputs of one group.
ModelImportance MeasureImportance(const Model& model, SequenceSpan sequences, ThreadPool& pool,
                                  const Progress& progress);

}  // namespace addend
