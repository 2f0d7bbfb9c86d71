#include "train/train_model.h"

namespace addend {

std::vector<TokenId> NextTokens(std::span<const TokenId> ids, size_t length) {
  std::vector<TokenId> targets(ids.size(), kNoTarget);
  for (size_t t = 0; t + 1 < ids.size(); ++t) {
    if ((t + 1) % length != 0) targets[t] = ids[t + 1];
  }
  return targets;
}

TrainModel::TrainModel(const Model& model, Precision precision)
    : model_(model), head_(model, precision), embedding_(model, model.head ? nullptr : head_.factored()) {
  for (size_t i = 0; i < model.blocks.size(); ++i)
    blocks_.emplace_back(model.config, model.blocks[i], i, precision);
}

const Matrix& TrainModel::Forward(std::span<const TokenId> ids, size_t length, ModelTape* tape,
                                  Workspace& workspace) const {
  tape->hidden.resize(blocks_.size() + 1);
  tape->blocks.resize(blocks_.size());
  for (Matrix& hidden : tape->hidden) hidden.Reshape(ids.size(), model_.config.hidden);
  embedding_.Forward(ids, tape->hidden.front(), workspace);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].Forward(tape->hidden[i], length, tape->hidden[i + 1], &tape->blocks[i], workspace);
  }
  return tape->hidden.back();
}

void TrainModel::Backward(const ModelTape& tape, Matrix* dx, bool wants_weights, const BlockSink& sink,
                          Workspace& workspace) const {
  for (size_t i = blocks_.size(); i-- > 0;) {
    BlockGradients gradients = blocks_[i].MakeGradients(wants_weights);
    blocks_[i].Backward(tape.hidden[i], tape.blocks[i], *dx, *dx, &gradients, workspace);
    sink(i, gradients);
  }
}

}  // namespace addend
