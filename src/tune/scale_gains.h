// All trainable scales of a compressed model as one flat vector of gains: scale = start * gain, so that one
// learning rate fits all.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "train/train_model.h"

namespace addend {

// a, mid and b of every factored linear, and the final norm's gain.
class ScaleGains {
 public:
  explicit ScaleGains(TrainModel& student);  // must outlive this

  // Sets the student's scales to what `values` says.
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

}  // namespace addend
