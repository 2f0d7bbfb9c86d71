#include "tune/scale_gains.h"

namespace addend {

ScaleGains::ScaleGains(std::span<TrainBlock> blocks) {
  for (TrainBlock& block : blocks) {
    auto& scales = blocks_.emplace_back();
    for (const LinearKind kind : kLinearKinds)
      scales[static_cast<size_t>(kind)] = AddFactors(block.linear(kind));
  }
  StartFromHere();
}

ScaleGains::ScaleGains(TrainModel& model) : ScaleGains(model.blocks()) {
  final_norm_ = Add(model.head().final_norm());
  if (TrainLinear* head = model.head().factored()) head_ = AddFactors(*head);
  if (const TrainEmbedding& embedding = model.embedding(); !embedding.tied())
    embedding_ = {Add(embedding.a()), Add(embedding.mid()), Add(embedding.b())};
  StartFromHere();
}

ScaleGains::LinearScales ScaleGains::AddFactors(TrainLinear& linear) {
  return {Add(linear.a()), Add(linear.mid()), Add(linear.b())};
}

void ScaleGains::StartFromHere() {
  values.assign(start_.size(), 1.0f);
  gradient.assign(start_.size(), 0.0f);
}

ScaleGains::Scale ScaleGains::Add(std::span<float> scale) {
  all_.push_back({scale, start_.size()});
  start_.insert(start_.end(), scale.begin(), scale.end());
  return all_.back();
}

void ScaleGains::Step(Adam& adam, double learning_rate) {
  const AdamParameter parameter{kName, values, gradient, learning_rate};
  adam.Step(std::span(&parameter, 1));
  Apply();
}

void ScaleGains::Apply() const {
  for (const Scale& scale : all_) {
    for (size_t i = 0; i < scale.values.size(); ++i) {
      scale.values[i] = start_[scale.offset + i] * values[scale.offset + i];
    }
  }
}

void ScaleGains::SetGradient(const Scale& scale, std::span<const float> of_scale) {
  for (size_t i = 0; i < of_scale.size(); ++i) {
    gradient[scale.offset + i] = start_[scale.offset + i] * of_scale[i];
  }
}

void ScaleGains::SetGradient(const LinearScales& scales, const LinearGradient& of_linear) {
  SetGradient(scales.a, of_linear.a);
  SetGradient(scales.mid, of_linear.mid);
  SetGradient(scales.b, of_linear.b);
}

void ScaleGains::SetGradient(size_t block, const BlockGradients& gradients) {
  for (const LinearKind kind : kLinearKinds)
    SetGradient(blocks_[block][static_cast<size_t>(kind)], gradients[kind]);
}

void ScaleGains::SetGradient(const HeadGradients& gradients) {
  SetGradient(final_norm_, gradients.final_norm);
  SetGradient(head_, gradients.factors);
}

void ScaleGains::SetEmbeddingGradient(const LinearGradient& of_embedding) {
  SetGradient(embedding_, of_embedding);
}

namespace {

// From anything with the scales a, mid and b.
template <typename Trained>
void CopyFactors(const Trained& trained, Linear& linear) {
  auto* factors = std::get_if<FactoredWeight>(&linear.weight);
  if (factors == nullptr) return;
  const auto copy = [](std::span<const float> from, std::vector<float>& to) {
    to.assign(from.begin(), from.end());
  };
  copy(trained.a(), factors->a);
  copy(trained.mid(), factors->mid);
  copy(trained.b(), factors->b);
  factors->RoundScalesToHalf();
}

}  // namespace

void CopyScales(std::span<const TrainBlock> trained, std::span<Block> blocks) {
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) CopyFactors(trained[b].linear(kind), blocks[b][kind]);
  }
}

void CopyScales(TrainModel& trained, Model& model) {
  CopyScales(trained.blocks(), model.blocks);
  CopyFactors(trained.embedding(), model.embedding);
  if (model.head && trained.head().factored()) CopyFactors(*trained.head().factored(), *model.head);
  const std::span<const float> norm = trained.head().final_norm();
  model.final_norm.assign(norm.begin(), norm.end());
}

}  // namespace addend
