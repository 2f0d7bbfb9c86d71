// Adam (Kingma and Ba, arXiv 1412.6980) over named spans of float parameters.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace addend {

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.95;
  double epsilon = 1e-8;
};

struct AdamParameter {
  std::string name;  // the key of its moments: unique, and the same in every step
  std::span<float> values;
  std::span<const float> gradient;  // as many
  double learning_rate = 0;
};

// Everything that a checkpoint needs to go on exactly as if there had been no break.
struct AdamState {
  struct Moments {
    std::vector<float> first, second;
  };
  uint64_t steps = 0;
  std::map<std::string, Moments> moments;  // by parameter name
};

class Adam {
 public:
  explicit Adam(AdamSettings settings = {}) : settings_(settings) {}

  // One step: values -= learning_rate * m / (sqrt(v) + epsilon), with the means m and v corrected for their
  // start at zero. A name that is new starts with zero moments. Throws Error naming the parameter when its
  // size is not that of its gradient or of its moments, or when a gradient is not finite; then nothing has
  // changed.
  void Step(std::span<const AdamParameter> parameters);

  const AdamState& state() const { return state_; }
  void set_state(AdamState state) { state_ = std::move(state); }

 private:
  AdamSettings settings_;
  AdamState state_;
};

}  // namespace addend
