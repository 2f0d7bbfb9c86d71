// Block tuning: makes one compressed block give the outputs of the original block from the inputs that it
// will really get, by moving its scales and signs. Source: NanoQuant's block reconstruction and the tuning of
// Double Binary Factorization (arXiv 2505.11076), here with all linears of the block factored before. How
// scales move: scale_gains.h; how signs move: sign_latents.h.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "base/threads.h"
#include "calibrate/calibration_text.h"
#include "calibrate/importance.h"
#include "model/model.h"

namespace addend {

// Hidden states of whole sequences, tokens x hidden.
struct BlockExamples {
  ConstMatrixView inputs;   // of the block behind the compressed blocks
  ConstMatrixView targets;  // the original's outputs behind the original blocks
};

struct BlockTask {
  size_t index = 0;   // of the block in the model
  size_t length = 0;  // tokens of a sequence
  BlockExamples training, held_out;
  std::span<const float> channel_weights;  // of the squared errors, one for each hidden channel
};

struct BlockTuningOptions {
  size_t epochs = 4;
  size_t batch = 1;  // sequences a step
  // For their course see schedule.h.
  double learning_rate = 1e-2;  // of the gains
  bool trains_signs = true;
  double sign_learning_rate = 0;  // of the latents; 0 = by the number of steps
  uint64_t seed = 1;              // of the order of the sequences
};

struct BlockTuningResult {
  // Weighted squared error on the held-out sequences, relative to the weighted squares of the targets.
  double before = 0, after = 0;
  size_t changed_signs = 0;
};

// Tunes the factored linears of `block` in place and rounds their scales to fp16; keeps the best by the
// held-out sequences, so it is never worse there than before. A token counts less the further it is off at
// the start beyond ten times the median: the first tokens of a sequence carry huge activations and would own
// the sum.
BlockTuningResult TuneBlock(const ModelConfig& config, Block& block, const BlockTask& task,
                            const BlockTuningOptions& options, ThreadPool& pool);

// Calls tune(task) for the blocks of `student` in order, each behind the blocks before it as they are by
// then; `tune` may change the block. The task is made of the first `sequences` of text.training (or all, when
// there are fewer) and text.held_out; errors of a hidden channel count by its importance to the loss.
void ForEachBlock(const Model& student, const Model& dense, const ModelImportance& importance,
                  const CalibrationText& text, size_t sequences, ThreadPool& pool,
                  const std::function<void(const BlockTask&)>& tune);

}  // namespace addend
