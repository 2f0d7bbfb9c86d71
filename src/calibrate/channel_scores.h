// How much each middle channel of a factored model matters to its loss: the pruning criterion by which Double
// Binary Factorization divides ranks between layers (arXiv 2505.11076, section 3.4; the criterion is of
// Molchanov et al., Importance Estimation for Neural Network Pruning, 2019).
#pragma once
#include <array>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/sequences.h"
#include "model/model.h"

namespace addend {

// For each channel k of each linear: mean over sequences of (mid_k dLoss/dmid_k)^2.
using ChannelScores = std::vector<std::array<std::vector<float>, kLinearKinds.size()>>;  // [block][kind]

// Loss = mean next-token cross entropy of each sequence. Every linear of `model` must be factored. All
// sequences have the same length, at least 2.
ChannelScores MeasureChannelScores(const Model& model, SequenceSpan sequences, ThreadPool& pool,
                                   const Progress& progress);

}  // namespace addend
