#include "train/adam.h"

#include <cmath>

#include "base/error.h"
#include "tensor/matrix.h"

namespace addend {
namespace {

void Check(const AdamParameter& parameter, const AdamState& state) {
  const size_t size = parameter.values.size();
  if (parameter.gradient.size() != size) {
    throw Error("adam: '", parameter.name, "' has ", size, " values and ", parameter.gradient.size(),
                " gradients");
  }
  const auto known = state.moments.find(parameter.name);
  if (known != state.moments.end() &&
      (known->second.first.size() != size || known->second.second.size() != size)) {
    throw Error("adam: '", parameter.name, "' has ", size, " values, its saved moments have ",
                known->second.first.size(), " and ", known->second.second.size());
  }
  if (const size_t bad = FirstNonFinite(parameter.gradient); bad < size) {
    throw Error("adam: the gradient of '", parameter.name, "' is ", parameter.gradient[bad], " at ", bad);
  }
}

}  // namespace

void Adam::Step(std::span<const AdamParameter> parameters) {
  for (const AdamParameter& parameter : parameters) Check(parameter, state_);
  ++state_.steps;
  const auto steps = static_cast<double>(state_.steps);
  const double first_correction = 1 - std::pow(settings_.beta1, steps);
  const double second_correction = 1 - std::pow(settings_.beta2, steps);
  for (const AdamParameter& parameter : parameters) {
    AdamState::Moments& moments = state_.moments[parameter.name];
    moments.first.resize(parameter.values.size());
    moments.second.resize(parameter.values.size());
    for (size_t i = 0; i < parameter.values.size(); ++i) {
      const double gradient = parameter.gradient[i];
      const double first = settings_.beta1 * moments.first[i] + (1 - settings_.beta1) * gradient;
      const double second = settings_.beta2 * moments.second[i] + (1 - settings_.beta2) * gradient * gradient;
      moments.first[i] = static_cast<float>(first);
      moments.second[i] = static_cast<float>(second);
      const double step =
          first / first_correction / (std::sqrt(second / second_correction) + settings_.epsilon);
      parameter.values[i] -= static_cast<float>(parameter.learning_rate * step);
    }
  }
}

}  // namespace addend
