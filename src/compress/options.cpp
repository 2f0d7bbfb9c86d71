#include "compress/options.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>

namespace addend {
namespace {

// The name of a value of an enum that counts from 0.
template <typename Enum>
std::string_view NameAt(std::initializer_list<std::string_view> names, Enum value) {
  return names.begin()[static_cast<size_t>(value)];
}

// Written by the model for tuning alone.
constexpr size_t kFreshSequences = 32;

}  // namespace

EffortSettings SettingsOf(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return {.statistics_sequences = 64, .train = Training::kScales, .distill_steps = 128};
    case Effort::kDefault:
      return {.statistics_sequences = 128, .train = Training::kScales, .distill_steps = 1500};
    case Effort::kBest:
      break;
  }
  return {.statistics_sequences = 256, .train = Training::kAll, .distill_steps = 8000};
}

size_t ImportanceSequences(size_t statistics_sequences) {
  constexpr size_t kEnough = 32;
  return std::min(statistics_sequences, std::max(kEnough, statistics_sequences / 4));
}

std::string_view Name(Effort effort) {
  return NameAt({"fast", "default", "best"}, effort);
}

std::string_view Name(AllocationPolicy policy) {
  return NameAt({"uniform", "marginal", "channels"}, policy);
}

std::string_view Name(Prefix prefix) {
  return NameAt({"dense", "compressed"}, prefix);
}

std::string_view Name(Training training) {
  return NameAt({"scales", "all"}, training);
}

std::string NameOf(const EmbeddingForm& form) {
  if (!form.factored()) return std::string(Info(form.type).name);
  char text[40];
  std::snprintf(text, sizeof text, "dbf at %.4g bits", form.bits);
  return text;
}

EmbeddingForm CompressOptions::Embedding() const {
  return {.type = embedding_type.value_or(DType::kQ8_0), .bits = embedding_bits.value_or(0)};
}

void CompressOptions::SetEmbedding(const EmbeddingForm& form) {
  embedding_type.reset();
  embedding_bits.reset();
  if (form.factored()) {
    embedding_bits = form.bits;
  } else {
    embedding_type = form.type;
  }
}

EffortSettings CompressOptions::Settings() const {
  EffortSettings settings = SettingsOf(effort);
  if (statistics_sequences > 0) settings.statistics_sequences = statistics_sequences;
  if (train) settings.train = *train;
  if (distill_steps) settings.distill_steps = *distill_steps;
  return settings;
}

CalibrationOptions CompressOptions::TextOptions() const {
  CalibrationOptions text{.length = calibration_length, .seed = seed};
  // Sampling is slow, and more of it helps little.
  if (calibration.empty()) text.max_sequences = Settings().statistics_sequences + kFreshSequences;
  return text;
}

}  // namespace addend
