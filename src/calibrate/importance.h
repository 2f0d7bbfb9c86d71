// How much each input and each output of every linear layer matters to the loss of the dense model: the
// diagonal weights of the factorization (Double Binary Factorization, arXiv 2505.11076, section 3.2).
#pragma once
#include <array>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/sequences.h"
#include "model/model.h"

namespace addend {

struct LinearImportance {
  std::vector<float> input;   // for each input j: mean over tokens of x_j^2
  std::vector<float> output;  // for each output k: mean over tokens of (dLoss / dy_k)^2
};
using BlockImportance = std::array<LinearImportance, kLinearKinds.size()>;  // by LinearKind
using ModelImportance = std::vector<BlockImportance>;

// Loss = mean next-token cross entropy of each sequence. All sequences have the same length, at least 2.
// Sequences go through the model in groups, forward and then backward, so memory holds one block's weights
// and the block inputs of one group.
ModelImportance MeasureImportance(const Model& model, SequenceSpan sequences, ThreadPool& pool,
                                  const Progress& progress);

}  // namespace addend
