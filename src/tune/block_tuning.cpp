#include "tune/block_tuning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/interrupt.h"
#include "base/random.h"
#include "calibrate/prefix_stream.h"
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
    training_ = Weighted(task.training, TokenErrors(task.training));
    const std::vector<double> errors = TokenErrors(task.held_out);
    held_out_ = Weighted(task.held_out, errors);
    Keep(held_out_.Sum(errors));
  }

  BlockTuningResult Run() {
    BlockTuningResult result{.before = best_};
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
      const double error = held_out_.Sum(TokenErrors(task_.held_out));
      if (error < best_) Keep(error);
    }
    gains_.values = best_gains_;
    gains_.Apply();
    CopyScales(trained_, std::span(&block_, 1));
    if (signs_) result.changed_signs = ReplaceSigns(best_signs_, std::span(&block_, 1));
    result.after = best_;
    return result;
  }

 private:
  // How errors of tokens make one error.
  struct Weights {
    std::vector<float> tokens;
    double scale = 0;  // one over the weighted squares of the targets

    double Sum(const std::vector<double>& errors) const {
      return scale * std::inner_product(errors.begin(), errors.end(), tokens.begin(), 0.0);
    }
  };

  // `errors`: of the tokens at the start.
  Weights Weighted(const BlockExamples& examples, const std::vector<double>& errors) const {
    std::vector<double> sorted = errors;
    const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
    std::ranges::nth_element(sorted, middle);
    const double most = kFarOff * *middle;
    const std::vector<float> nothing(examples.targets.cols);
    Weights weights;
    double squares = 0;
    for (size_t t = 0; t < errors.size(); ++t) {
      weights.tokens.push_back(errors[t] > most ? static_cast<float>(most / errors[t]) : 1.0f);
      squares += weights.tokens[t] * SquaredError(nothing, examples.targets.Row(t));
    }
    if (squares > 0) weights.scale = 1 / squares;
    return weights;
  }

  double SquaredError(std::span<const float> output, std::span<const float> target) const {
    double sum = 0;
    for (size_t c = 0; c < output.size(); ++c) {
      const float difference = output[c] - target[c];
      sum += task_.channel_weights[c] * difference * difference;
    }
    return sum;
  }

  // Of each token as the block is now.
  std::vector<double> TokenErrors(const BlockExamples& examples) {
    const size_t group = kSequencesInFlight * task_.length, tokens = examples.inputs.rows;
    std::vector<double> errors;
    Matrix outputs;
    for (size_t first = 0; first < tokens; first += group) {
      const size_t count = std::min(group, tokens - first);
      outputs.Reshape(count, examples.inputs.cols);
      trained_.front().Forward(examples.inputs.Rows(first, count), task_.length, outputs, nullptr,
                               workspace_);
      for (size_t t = 0; t < count; ++t) {
        errors.push_back(SquaredError(outputs.Row(t), examples.targets.Row(first + t)));
      }
    }
    return errors;
  }

  void Keep(double error) {
    best_ = error;
    best_gains_ = gains_.values;
    if (signs_) best_signs_ = signs_->Signs();
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
    gains_.Step(adam_, rate * options_.learning_rate);
    if (signs_) {
      const double sign_rate = rate * SignLearningRate(options_.sign_learning_rate, total_steps_);
      signs_->Step(0, gradients_, static_cast<float>(sign_rate), workspace_.pool);
    }
    ++step_;
  }

  // Turns outputs of the training sequences from token `first` on into the gradient of the mean relative
  // error.
  void SetOutputGradient(size_t first, MatrixView outputs) const {
    const double scale = training_.scale * static_cast<double>(training_.tokens.size());
    for (size_t t = 0; t < outputs.rows; ++t) {
      const std::span<float> output = outputs.Row(t);
      const std::span<const float> target = task_.training.targets.Row(first + t);
      const float weight = static_cast<float>(scale) * training_.tokens[first + t];
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
  Weights training_, held_out_;
  size_t step_ = 0, total_steps_ = 0;
  double best_ = 0;
  std::vector<float> best_gains_;
  std::vector<SignMatrix> best_signs_;
  Matrix inputs_, d_outputs_;
  BlockTape tape_;
};

// Of squared errors of the hidden states behind a block. What `down` gives is added to them as it is, except
// behind a norm; there all channels count alike.
std::vector<float> ChannelWeights(const ModelConfig& config, const BlockImportance& importance) {
  if (config.post_norms) return std::vector<float>(config.hidden, 1.0f);
  return importance[static_cast<size_t>(LinearKind::kDown)].output;
}

}  // namespace

BlockTuningResult TuneBlock(const ModelConfig& config, Block& block, const BlockTask& task,
                            const BlockTuningOptions& options, ThreadPool& pool) {
  return BlockTuning(config, block, task, options, pool).Run();
}

void ForEachBlock(const Model& student, const Model& dense, const ModelImportance& importance,
                  const CalibrationText& text, size_t sequences, ThreadPool& pool,
                  const std::function<void(const BlockTask&)>& tune) {
  const size_t count = std::min(sequences, text.training.size());
  std::vector<std::vector<TokenId>> all(text.training.begin(),
                                        text.training.begin() + static_cast<ptrdiff_t>(count));
  all.insert(all.end(), text.held_out.begin(), text.held_out.end());
  const size_t training = count * text.length, held_out = text.held_out.size() * text.length;
  PrefixStream stream(dense, student.embedding, all, pool);
  for (size_t b = 0; b < student.blocks.size(); ++b) {
    const std::vector<float> channel_weights = ChannelWeights(dense.config, importance[b]);
    stream.Advance(student.blocks[b], [&](ConstMatrixView inputs, ConstMatrixView targets) {
      tune({.index = b,
            .length = text.length,
            .training = {inputs.Rows(0, training), targets.Rows(0, training)},
            .held_out = {inputs.Rows(training, held_out), targets.Rows(training, held_out)},
            .channel_weights = channel_weights});
    });
  }
}

}  // namespace addend
