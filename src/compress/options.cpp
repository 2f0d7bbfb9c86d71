#include "compress/options.h"

namespace addend {

EffortSettings SettingsOf(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return {.statistics_sequences = 32, .distill_seconds = 4 * 60};
    case Effort::kDefault:
      return {.statistics_sequences = 64, .distill_seconds = 20 * 60};
    case Effort::kBest:
      break;
  }
  return {.statistics_sequences = 128, .distill_seconds = 2 * 3600};
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
  return policy == AllocationPolicy::kUniform ? "uniform" : "marginal";
}

EffortSettings CompressOptions::Settings() const {
  EffortSettings settings = SettingsOf(effort);
  if (statistics_sequences > 0) settings.statistics_sequences = statistics_sequences;
  if (distill_seconds) settings.distill_seconds = *distill_seconds;
  return settings;
}

}  // namespace addend
