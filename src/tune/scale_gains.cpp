#include "tune/scale_gains.h"

namespace addend {

ScaleGains::ScaleGains(std::span<TrainBlock> blocks, TrainHead* head) {
  for (TrainBlock& block : blocks) {
    std::vector<LinearScales>& scales = blocks_.emplace_back();
    for (const LinearKind kind : kLinearKinds) {
      TrainLinear& linear = block.linear(kind);
      if (!linear.factored()) continue;
      const Scale a = Add(linear.a()), mid = Add(linear.mid()), b = Add(linear.b());
      scales.push_back({kind, a, mid, b});
    }
  }
  if (head != nullptr) final_norm_ = Add(head->final_norm());
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

void ScaleGains::SetGradient(size_t block, const BlockGradients& gradients) {
  for (const LinearScales& scales : blocks_[block]) {
    const LinearGradient& of_linear = gradients[scales.kind];
    SetGradient(scales.a, of_linear.a);
    SetGradient(scales.mid, of_linear.mid);
    SetGradient(scales.b, of_linear.b);
  }
}

void ScaleGains::SetGradient(const HeadGradients& gradients) {
  SetGradient(final_norm_, gradients.final_norm);
}

void CopyScales(std::span<const TrainBlock> trained, std::span<Block> blocks) {
  const auto copy = [](std::span<const float> from, std::vector<float>& to) {
    to.assign(from.begin(), from.end());
  };
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      auto* factors = std::get_if<FactoredWeight>(&blocks[b][kind].weight);
      if (factors == nullptr) continue;
      const TrainLinear& linear = trained[b].linear(kind);
      copy(linear.a(), factors->a);
      copy(linear.mid(), factors->mid);
      copy(linear.b(), factors->b);
      factors->RoundScalesToHalf();
    }
  }
}

}  // namespace addend
