#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/vector_ops.h"

namespace addend {
namespace {

// Llama 3.1's stretching: wavelengths that repeat often within the original context stay, those that do not
// complete `low_frequency_factor` turns are slowed by `factor`, and in between the two are blended.
double Llama3Scaled(double frequency, const RopeScaling& scaling) {
  const double turns = static_cast<double>(scaling.original_context) * frequency / (2 * std::numbers::pi);
  const double low = scaling.low_frequency_factor, high = scaling.high_frequency_factor;
  const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return kept * frequency + (1 - kept) * frequency / scaling.factor;
}

double Scaled(double frequency, size_t pair, const RopeScaling& scaling) {
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
      return frequency;
    case RopeScaling::Kind::kLinear:
      return frequency / scaling.factor;
    case RopeScaling::Kind::kLlama3:
      return Llama3Scaled(frequency, scaling);
    case RopeScaling::Kind::kFactors:
      return frequency / scaling.factors.at(pair);
  }
  return frequency;
}

}  // namespace

std::vector<double> RopeFrequencies(const ModelConfig& config, RopeKind kind) {
  const double theta = kind == RopeKind::kSliding ? config.rope_theta_sliding : config.rope_theta;
  // A sliding block is unscaled only where it has a theta of its own; else it turns as every other block
  // does.
  const bool scaled = kind == RopeKind::kFull || config.rope_theta_sliding == config.rope_theta;
  std::vector<double> frequencies(config.head_dim / 2);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double plain =
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim));
    frequencies[i] = scaled ? Scaled(plain, i, config.rope_scaling) : plain;
  }
  return frequencies;
}

RopeTable::RopeTable(const ModelConfig& config, RopeKind kind)
    : frequencies_(RopeFrequencies(config, kind)) {}

void RopeTable::Extend(size_t positions_needed) {
  const size_t pairs = frequencies_.size();
  for (size_t position = positions(); position < positions_needed; ++position) {
    turns_.resize((position + 1) * 2 * pairs);
    float* const cos = turns_.data() + position * 2 * pairs;
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(position) * frequencies_[i];
      cos[i] = static_cast<float>(std::cos(angle));
      cos[pairs + i] = static_cast<float>(std::sin(angle));
    }
  }
}

void RopeTable::Rotate(std::span<float> row, size_t position) const {
  const size_t head_dim = 2 * frequencies_.size();
  for (size_t i = 0; i < row.size(); i += head_dim)
    Rope(row.subspan(i, head_dim), Cos(position), Sin(position));
}

void RopeTable::RotateBack(std::span<float> row, size_t position) const {
  // Turning (x, y) back is turning (y, x) forward.
  SwapHalves(row);
  Rotate(row, position);
  SwapHalves(row);
}

void RopeTable::SwapHalves(std::span<float> row) const {
  const size_t half = frequencies_.size();
  for (auto head = row.begin(); head != row.end(); head += 2 * half)
    std::swap_ranges(head, head + half, head + half);
}

}  // namespace addend
