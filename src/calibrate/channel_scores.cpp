#include "calibrate/channel_scores.h"

#include "base/interrupt.h"
#include "train/train_model.h"

namespace addend {

ChannelScores MeasureChannelScores(const Model& model, SequenceSpan sequences, ThreadPool& pool,
                                   const Progress& progress) {
  const size_t length = SequenceLength(sequences);
  const auto count = static_cast<float>(sequences.size());
  TrainModel trained(model);
  Workspace workspace(pool);
  ModelTape tape;
  Matrix dx;
  ChannelScores scores(model.blocks.size());
  const auto add = [&](size_t block, const BlockGradients& gradients) {
    for (const LinearKind kind : kLinearKinds) {
      const std::span<const float> mid = trained.blocks()[block].linear(kind).mid();
      std::vector<float>& sums = scores[block][static_cast<size_t>(kind)];
      sums.resize(mid.size());
      for (size_t k = 0; k < mid.size(); ++k) {
        const float change = mid[k] * gradients[kind].mid[k];
        sums[k] += change * change / count;
      }
    }
  };
  for (size_t i = 0; i < sequences.size(); ++i) {
    ThrowIfInterrupted();
    const Matrix& hidden = trained.Forward(sequences[i], length, &tape, workspace);
    trained.head().CrossEntropy(hidden, NextTokens(sequences[i], length), &dx, nullptr, workspace);
    trained.Backward(tape, &dx, /*wants_weights=*/false, add, workspace);
    Report(progress, {"channels", static_cast<double>(i + 1), static_cast<double>(sequences.size()),
                      "sequences of calibration text"});
  }
  return scores;
}

}  // namespace addend
