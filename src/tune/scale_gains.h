// The trainable scales of compressed blocks as one flat vector of gains: scale = start * gain, so that one
// learning rate fits all.
#pragma once
#include <span>
#include <vector>

#include "train/adam.h"
#include "train/train_block.h"
#include "train/train_head.h"

namespace addend {

// a, mid and b of every factored linear, and the final norm's gain if there is a head.
class ScaleGains {
 public:
  // Both must outlive this.
  explicit ScaleGains(std::span<TrainBlock> blocks, TrainHead* head = nullptr);

  static constexpr const char* kName = "gains";  // in the state of Adam
  // One step of Adam along `gradient`, applied.
  void Step(Adam& adam, double learning_rate);
  // Sets the trained scales to what `values` says.
  void Apply() const;
  // dLoss/dgain = start * dLoss/dscale: of one block, and of the head.
  void SetGradient(size_t block, const BlockGradients& gradients);
  void SetGradient(const HeadGradients& gradients);

  std::vector<float> values, gradient;

 private:
  struct Scale {
    std::span<float> values;
    size_t offset;  // in the flat vectors
  };

  Scale Add(std::span<float> scale);
  void SetGradient(const Scale& scale, std::span<const float> of_scale);

  struct LinearScales {
    LinearKind kind;
    Scale a, mid, b;
  };
  std::vector<std::vector<LinearScales>> blocks_;
  Scale final_norm_;
  std::vector<Scale> all_;
  std::vector<float> start_;
};

// Puts the scales of the trained blocks, rounded to fp16, into the factored linears that they were made from.
void CopyScales(std::span<const TrainBlock> trained, std::span<Block> blocks);

}  // namespace addend
