#include "calibrate/importance.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "linalg/gemm.h"
#include "tensor/half.h"
#include "train/train_block.h"
#include "train/train_head.h"
#include "train/train_model.h"

namespace addend {
namespace {

// Sums of squares of each column. Rows are added up in float32 in short runs, the runs in double.
class ColumnSquares {
 public:
  void Add(ConstMatrixView m, double factor) {
    sums_.resize(m.cols);
    constexpr size_t kRun = 64;
    std::vector<float> run(m.cols);
    for (size_t first = 0; first < m.rows; first += kRun) {
      std::fill(run.begin(), run.end(), 0.0f);
      for (size_t r = first; r < std::min(m.rows, first + kRun); ++r) {
        const float* row = m.data + r * m.stride;
        for (size_t c = 0; c < m.cols; ++c) run[c] += row[c] * row[c];
      }
      for (size_t c = 0; c < m.cols; ++c) sums_[c] += factor * run[c];
    }
  }
  std::vector<float> Mean(size_t tokens) const {
    std::vector<float> mean(sums_.size());
    for (size_t c = 0; c < mean.size(); ++c)
      mean[c] = static_cast<float>(sums_[c] / static_cast<double>(tokens));
    return mean;
  }

 private:
  std::vector<double> sums_;
};

struct LinearSquares {
  ColumnSquares input, output;
  Matrix output_moments;  // sums of g^T g; empty for too many outputs
};
using ModelSquares = std::vector<std::array<LinearSquares, kLinearKinds.size()>>;

// Forward and backward of a few sequences together; adds their squares to `squares`.
void AddGroup(const Model& model, const TrainHead& head, SequenceSpan sequences, Workspace& workspace,
              const std::function<void(size_t steps)>& report, ModelSquares& squares) {
  const size_t length = SequenceLength(sequences), blocks = model.blocks.size();
  const std::vector<TokenId> ids = Flatten(sequences);
  std::vector<Matrix> inputs;  // of each block, and at the end what leaves the last one
  Embed(model.embedding, model.config, ids, inputs.emplace_back(ids.size(), model.config.hidden),
        workspace.pool);
  for (size_t b = 0; b < blocks; ++b) {
    ThrowIfInterrupted();
    Matrix y(ids.size(), model.config.hidden);
    TrainBlock(model.config, model.blocks[b], b, Precision::kExact)
        .Forward(inputs.back(), length, y, nullptr, workspace);
    inputs.push_back(std::move(y));
    report(b + 1);
  }

  Matrix gradient;
  head.CrossEntropy(inputs.back(), NextTokens(ids, length), &gradient, nullptr, workspace);
  // The head's loss is the mean over the group; each sequence's own mean has gradients as many times larger.
  const double factor = static_cast<double>(sequences.size()) * static_cast<double>(sequences.size());
  BlockTape tape;
  Matrix output(ids.size(), model.config.hidden);
  for (size_t b = blocks; b-- > 0;) {
    ThrowIfInterrupted();
    const TrainBlock block(model.config, model.blocks[b], b, Precision::kExact);
    block.Forward(inputs[b], length, output, &tape, workspace);
    const LinearObserver add_squares = [&](LinearKind kind, ConstMatrixView x, ConstMatrixView dy) {
      LinearSquares& sums = squares[b][static_cast<size_t>(kind)];
      if (dy.cols <= kMostCorrelatedOutputs) {
        if (sums.output_moments.empty()) sums.output_moments = Matrix(dy.cols, dy.cols);
        AddGram(dy, static_cast<float>(factor), sums.output_moments, workspace.pool);
      }
      workspace.pool.For(
          2, [&](size_t side) { side == 0 ? sums.input.Add(x, 1) : sums.output.Add(dy, factor); });
    };
    block.Backward(inputs[b], tape, gradient, gradient, nullptr, workspace, add_squares);
    report(blocks + 3 * (blocks - b));
  }
}

}  // namespace

CorrelationMatrix::CorrelationMatrix(ConstMatrixView moments) : size_(moments.rows) {
  std::vector<float> inverse_deviation(size_);
  for (size_t i = 0; i < size_; ++i) {
    inverse_deviation[i] = moments(i, i) > 0 ? 1 / std::sqrt(moments(i, i)) : 0;
  }
  below_diagonal_.reserve(size_ * (size_ - std::min<size_t>(size_, 1)) / 2);
  for (size_t i = 0; i < size_; ++i) {
    for (size_t j = 0; j < i; ++j) {
      below_diagonal_.push_back(FloatToHalf(moments(i, j) * inverse_deviation[i] * inverse_deviation[j]));
    }
  }
}

CorrelationMatrix::CorrelationMatrix(size_t size, std::vector<uint16_t> below_diagonal)
    : size_(size), below_diagonal_(std::move(below_diagonal)) {
  if (2 * below_diagonal_.size() + size_ != size_ * size_) {
    throw Error("correlations: ", below_diagonal_.size(), " values for ", size_, " outputs");
  }
}

Matrix CorrelationMatrix::ToDense() const {
  Matrix dense(size_, size_);
  const uint16_t* next = below_diagonal_.data();
  for (size_t i = 0; i < size_; ++i) {
    dense(i, i) = 1;
    for (size_t j = 0; j < i; ++j) dense(i, j) = dense(j, i) = HalfToFloat(*next++);
  }
  return dense;
}

ModelImportance MeasureImportance(const Model& model, SequenceSpan sequences, ThreadPool& pool,
                                  const Progress& progress) {
  const size_t length = SequenceLength(sequences), blocks = model.blocks.size();
  const TrainHead head(model);
  Workspace workspace(pool);
  ModelSquares squares(blocks);
  for (size_t first = 0; first < sequences.size(); first += kSequencesInFlight) {
    const size_t count = std::min(kSequencesInFlight, sequences.size() - first);
    AddGroup(
        model, head, sequences.subspan(first, count), workspace,
        [&](size_t steps) {
          const double share = static_cast<double>(steps) / static_cast<double>(4 * blocks);
          Report(progress, {"importance", static_cast<double>(first) + share * static_cast<double>(count),
                            static_cast<double>(sequences.size()), "sequences of calibration text"});
        },
        squares);
  }
  const size_t tokens = sequences.size() * length;
  ModelImportance importance(blocks);
  for (size_t b = 0; b < blocks; ++b) {
    for (size_t k = 0; k < kLinearKinds.size(); ++k) {
      LinearSquares& sums = squares[b][k];
      importance[b][k] = {sums.input.Mean(tokens), sums.output.Mean(tokens),
                          CorrelationMatrix(sums.output_moments)};
      sums = {};  // the moments are large
    }
  }
  return importance;
}

}  // namespace addend
