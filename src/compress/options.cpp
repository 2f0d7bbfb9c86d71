#include "compress/options.h"

namespace addend {

EffortSettings SettingsOf(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return {.statistics_sequences = 32, .distill_steps = 128};
    case Effort::kDefault:
      return {.statistics_sequences = 64, .distill_steps = 2000};
    case Effort::kBest:
      break;
  }
  return {.statistics_sequences = 128, .distill_steps = 12000};
}

std::string_view Name(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return "fast";
    case Effort::kDefault:
      return "default";
    case Effort::kBest:
      break;
  }
  return "best";
}

std::string_view Name(AllocationPolicy policy) {
  switch (policy) {
    case AllocationPolicy::kUniform:
      return "uniform";
    case AllocationPolicy::kMarginal:
      return "marginal";
    case AllocationPolicy::kChannels:
      break;
  }
  return "channels";
}

std::string_view Name(Prefix prefix) {
  return prefix == Prefix::kDense ? "dense" : "compressed";
}

EffortSettings CompressOptions::Settings() const {
  EffortSettings settings = SettingsOf(effort);
  if (statistics_sequences > 0) settings.statistics_sequences = statistics_sequences;
  if (distill_steps) settings.distill_steps = *distill_steps;
  return settings;
}

CalibrationOptions CompressOptions::TextOptions() const {
  CalibrationOptions text{.length = calibration_length, .seed = seed};
  // Sampling is slow, and more of it helps little.
  if (calibration.empty()) text.max_sequences = 2 * Settings().statistics_sequences;
  return text;
}

}  // namespace addend
