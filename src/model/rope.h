// Rotary position embedding: the pair (x[i], x[i + head_dim / 2]) of a query or key at position p turns by
// the angle p * frequency[i] (RoFormer, arXiv 2104.09864, in Hugging Face's "rotate half" order).
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "model/config.h"
#include "tensor/matrix.h"

namespace addend {

// Which of a model's two rotations: Gemma 3 turns sliding-window blocks by rope_theta_sliding, unscaled.
enum class RopeKind { kFull, kSliding };

// Radians per position for each of the head_dim / 2 pairs.
std::vector<double> RopeFrequencies(const ModelConfig& config, RopeKind kind);

// cos and sin of the angles for positions 0 .. positions() - 1.
class RopeTable {
 public:
  RopeTable(const ModelConfig& config, RopeKind kind);

  size_t positions() const { return turns_.size() / (2 * frequencies_.size()); }
  void Extend(size_t positions);  // to at least so many; no-op when they are there

  // head_dim / 2 values each; position < positions().
  std::span<const float> Cos(size_t position) const { return {Turns(position), frequencies_.size()}; }
  std::span<const float> Sin(size_t position) const {
    return {Turns(position) + frequencies_.size(), frequencies_.size()};
  }

  // Turns in place all heads of a row that lies at `position`. row: (any number of heads) * head_dim.
  void Rotate(std::span<float> row, size_t position) const;
  // The inverse, which is also the transpose: what gradients go through.
  void RotateBack(std::span<float> row, size_t position) const;

 private:
  void SwapHalves(std::span<float> row) const;
  const float* Turns(size_t position) const { return turns_.data() + position * 2 * frequencies_.size(); }
  std::vector<double> frequencies_;
  std::vector<float> turns_;  // for each position: head_dim / 2 cosines, then as many sines
};

}  // namespace addend
