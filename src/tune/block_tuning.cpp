#include "tune/block_tuning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/interrupt.h"
#include "base/random.h"
#include "calibrate/sequences.h"
#include "train/adam.h"
#include "train/train_block.h"
#include "tune/block_signs.h"
#include "tune/scale_gains.h"
#include "tune/schedule.h"

namespace addend {
namespace {

constexpr double kFarOff = 10;  // times the median error of a token

class BlockTuning {
 public:
  BlockTuning(const ModelConfig& config, Block& block, const BlockTask& task,
              const BlockTuningOptions& options, ThreadPool& pool)
      : block_(block),
        task_(task),
        options_(options),
        workspace_(pool),
        trained_{TrainBlock(config, block, task.index)},
        gains_(trained_),
        rng_(options.seed, "block " + std::to_string(task.index)) {
    if (options.trains_signs) signs_.emplace(trained_, std::span(&block, 1));
    gradients_ = trained_.front().MakeGradients(/*wants_weights=*/signs_.has_value());
    training_ = WithTokenWeights(task.training);
    held_out_ = WithTokenWeights(task.held_out);
  }

  BlockTuningResult Run() {
    BlockTuningResult result{.before = MeasureError(held_out_), .training_before = MeasureError(training_)};
    Keep(result.before);
    const size_t sequences = task_.training.inputs.rows / task_.length;
    const size_t batches = (sequences + options_.batch - 1) / options_.batch;
    total_steps_ = options_.epochs * batches;
    std::vector<size_t> order(sequences);
    std::iota(order.begin(), order.end(), 0);
    for (size_t epoch = 0; epoch < options_.epochs; ++epoch) {
      for (size_t i = sequences; i > 1; --i) std::swap(order[i - 1], order[rng_.Below(i)]);
      for (size_t first = 0; first < sequences; first += options_.batch) {
        ThrowIfInterrupted();
        Step(std::span(order).subspan(first, std::min(options_.batch, sequences - first)));
      }
      const double error = MeasureError(held_out_);
      if (error < best_) Keep(error);
    }
    gains_.values = best_gains_;
    gains_.Apply();
    if (signs_) signs_->Restore(best_latents_);
    result.after = best_;
    result.training_after = MeasureError(training_);
    CopyScales(trained_, std::span(&block_, 1));
    if (signs_) result.changed_signs = ReplaceSigns(signs_->Signs(), std::span(&block_, 1));
    return result;
  }

 private:
  struct Examples {
    BlockExamples rows;
    std::vector<float> token_weights;
    double scale = 0;  // one over the weighted squares of the targets
  };

  Examples WithTokenWeights(const BlockExamples& rows) {
    const size_t tokens = rows.inputs.rows;
    Examples examples{.rows = rows, .token_weights = std::vector<float>(tokens, 1.0f), .scale = 1};
    std::vector<float> errors(tokens);
    ForGroups(examples, [&](size_t first, ConstMatrixView outputs) {
      for (size_t t = 0; t < outputs.rows; ++t) {
        errors[first + t] = static_cast<float>(SquaredError(outputs.Row(t), rows.targets.Row(first + t)));
      }
    });
    std::vector<float> sorted = errors;
    const auto middle = sorted.begin() + static_cast<ptrdiff_t>(tokens / 2);
    std::ranges::nth_element(sorted, middle);
    const std::vector<float> nothing(rows.targets.cols);
    double squares = 0;
    for (size_t t = 0; t < tokens; ++t) {
      const double most = kFarOff * *middle;
      if (errors[t] > most) examples.token_weights[t] = static_cast<float>(most / errors[t]);
      squares += examples.token_weights[t] * SquaredError(nothing, rows.targets.Row(t));
    }
    examples.scale = squares > 0 ? 1 / squares : 0;
    return examples;
  }

  double SquaredError(std::span<const float> output, std::span<const float> target) const {
    double sum = 0;
    for (size_t c = 0; c < output.size(); ++c) {
      const float difference = output[c] - target[c];
      sum += task_.channel_weights[c] * difference * difference;
    }
    return sum;
  }

  // Calls work(first token, outputs) for groups of sequences.
  template <typename Work>
  void ForGroups(const Examples& examples, Work&& work) {
    const size_t group = kSequencesInFlight * task_.length, tokens = examples.rows.inputs.rows;
    Matrix outputs;
    for (size_t first = 0; first < tokens; first += group) {
      const size_t count = std::min(group, tokens - first);
      outputs.Reshape(count, examples.rows.inputs.cols);
      trained_.front().Forward(examples.rows.inputs.Rows(first, count), task_.length, outputs, nullptr,
                               workspace_);
      work(first, outputs);
    }
  }

  double MeasureError(const Examples& examples) {
    double sum = 0;
    ForGroups(examples, [&](size_t first, ConstMatrixView outputs) {
      for (size_t t = 0; t < outputs.rows; ++t) {
        sum += examples.token_weights[first + t] *
               SquaredError(outputs.Row(t), examples.rows.targets.Row(first + t));
      }
    });
    return examples.scale * sum;
  }

  void Keep(double error) {
    best_ = error;
    best_gains_ = gains_.values;
    if (signs_) best_latents_ = signs_->States();
  }

  void Step(std::span<const size_t> sequences) {
    const size_t length = task_.length, hidden = task_.training.inputs.cols;
    inputs_.Reshape(sequences.size() * length, hidden);
    d_outputs_.Reshape(sequences.size() * length, hidden);
    for (size_t i = 0; i < sequences.size(); ++i) {
      CopyRows(task_.training.inputs.Rows(sequences[i] * length, length),
               inputs_.view().Rows(i * length, length));
    }
    TrainBlock& trained = trained_.front();
    trained.Forward(inputs_, length, d_outputs_, &tape_, workspace_);
    for (size_t i = 0; i < sequences.size(); ++i) {
      SetOutputGradient(sequences[i] * length, d_outputs_.view().Rows(i * length, length));
    }
    gradients_.SetZero();
    trained.Backward(inputs_, tape_, d_outputs_, d_outputs_, &gradients_, workspace_);
    const double rate = RateFactor(step_, total_steps_);
    gains_.SetGradient(0, gradients_);
    const AdamParameter parameter{"gains", gains_.values, gains_.gradient, rate * options_.learning_rate};
    adam_.Step(std::span(&parameter, 1));
    gains_.Apply();
    if (signs_) {
      signs_->Step(0, gradients_, static_cast<float>(rate * SignRate()), workspace_.pool);
    }
    ++step_;
  }

  double SignRate() const {
    return options_.sign_learning_rate > 0 ? options_.sign_learning_rate : SignLearningRate(total_steps_);
  }

  // Turns outputs of the training sequences from token `first` on into the gradient of the mean relative
  // error.
  void SetOutputGradient(size_t first, MatrixView outputs) const {
    const double scale = training_.scale * static_cast<double>(training_.token_weights.size());
    for (size_t t = 0; t < outputs.rows; ++t) {
      const std::span<float> output = outputs.Row(t);
      const std::span<const float> target = task_.training.targets.Row(first + t);
      const float weight = static_cast<float>(scale) * training_.token_weights[first + t];
      for (size_t c = 0; c < output.size(); ++c) {
        output[c] = weight * task_.channel_weights[c] * (output[c] - target[c]);
      }
    }
  }

  Block& block_;
  const BlockTask& task_;
  const BlockTuningOptions& options_;
  Workspace workspace_;
  std::vector<TrainBlock> trained_;  // one
  ScaleGains gains_;
  std::optional<BlockSigns> signs_;  // when they move
  BlockGradients gradients_;
  Adam adam_;
  Rng rng_;
  Examples training_, held_out_;
  size_t step_ = 0, total_steps_ = 0;
  double best_ = 0;
  std::vector<float> best_gains_;
  std::vector<SignLatents::State> best_latents_;
  Matrix inputs_, d_outputs_;
  BlockTape tape_;
};

}  // namespace

BlockTuningResult TuneBlock(const ModelConfig& config, Block& block, const BlockTask& task,
                            const BlockTuningOptions& options, ThreadPool& pool) {
  return BlockTuning(config, block, task, options, pool).Run();
}

}  // namespace addend
