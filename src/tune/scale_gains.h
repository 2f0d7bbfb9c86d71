// The trainable scales of compressed blocks as one flat vector of gains: scale = start * gain, so that one
// learning rate fits all.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "train/adam.h"
#include "train/train_block.h"
#include "train/train_model.h"

namespace addend {

// a, mid and b of every factored linear; of a whole model also those of its embedding and head, and the gain
// of the final norm.
class ScaleGains {
 public:
  // What is trained must outlive this.
  explicit ScaleGains(std::span<TrainBlock> blocks);
  explicit ScaleGains(TrainModel& model);

  static constexpr const char* kName = "gains";  // in the state of Adam
  // One step of Adam along `gradient`, applied.
  void Step(Adam& adam, double learning_rate);
  // Sets the trained scales to what `values` says.
  void Apply() const;
  // dLoss/dgain = start * dLoss/dscale: of one block, of the head, and of an untied embedding.
  void SetGradient(size_t block, const BlockGradients& gradients);
  void SetGradient(const HeadGradients& gradients);
  void SetEmbeddingGradient(const LinearGradient& gradient);

  std::vector<float> values, gradient;

 private:
  struct Scale {
    std::span<float> values;
    size_t offset = 0;  // in the flat vectors
  };

  Scale Add(std::span<float> scale);
  void SetGradient(const Scale& scale, std::span<const float> of_scale);

  struct LinearScales {
    Scale a, mid, b;  // empty for a dense linear
  };
  LinearScales AddFactors(TrainLinear& linear);
  void StartFromHere();
  void SetGradient(const LinearScales& scales, const LinearGradient& gradient);

  std::vector<std::array<LinearScales, kLinearKinds.size()>> blocks_;  // by LinearKind
  LinearScales head_, embedding_;
  Scale final_norm_;
  std::vector<Scale> all_;
  std::vector<float> start_;
};

// Puts the scales of what was trained, rounded to fp16, into the factored linears that it was made from; of a
// whole model also the gain of the final norm.
void CopyScales(std::span<const TrainBlock> trained, std::span<Block> blocks);
void CopyScales(TrainModel& trained, Model& model);

}  // namespace addend
