#include "calibrate/covariance.h"

#include <algorithm>

#include "base/interrupt.h"
#include "linalg/gemm.h"
#include "train/train_model.h"

namespace addend {

Matrix& BlockCovariance::For(LinearKind kind) {
  switch (kind) {
    case LinearKind::kQ:
    case LinearKind::kK:
    case LinearKind::kV:
      return qkv;
    case LinearKind::kO:
      return o;
    case LinearKind::kGate:
    case LinearKind::kUp:
      return gate_up;
    case LinearKind::kDown:
      break;
  }
  return down;
}

DenseStream::DenseStream(const Model& model, SequenceSpan sequences, ThreadPool& pool, Precision precision)
    : model_(model),
      workspace_(pool),
      precision_(precision),
      length_(SequenceLength(sequences)),
      hidden_(sequences.size() * length_, model.config.hidden) {
  Embed(model.embedding, model.config, Flatten(sequences), hidden_, pool);
}

BlockCovariance DenseStream::Next() {
  const ModelConfig& config = model_.config;
  BlockCovariance covariance{.qkv = Matrix(config.hidden, config.hidden),
                             .o = Matrix(config.q_size(), config.q_size()),
                             .gate_up = Matrix(config.hidden, config.hidden),
                             .down = Matrix(config.feed_forward, config.feed_forward)};
  Advance(&covariance);
  return covariance;
}

void DenseStream::Skip() {
  Advance(nullptr);
}

void DenseStream::Advance(BlockCovariance* covariance) {
  const TrainBlock block(model_.config, model_.blocks.at(next_), next_, precision_);
  const float weight = 1.0f / static_cast<float>(hidden_.rows());
  const InputObserver add_gram = [&](LinearKind kind, ConstMatrixView x) {
    AddGram(x, weight, covariance->For(kind), workspace_.pool);
    return true;
  };
  const size_t group = kSequencesInFlight * length_;
  for (size_t first = 0; first < hidden_.rows(); first += group) {
    ThrowIfInterrupted();
    const MatrixView rows = hidden_.view().Rows(first, std::min(group, hidden_.rows() - first));
    block.Forward(rows, length_, rows, &tape_, workspace_,
                  covariance != nullptr ? add_gram : InputObserver());
  }
  ++next_;
}

}  // namespace addend
