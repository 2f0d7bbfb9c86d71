#include "model/gguf_architecture.h"

#include <cmath>

#include "model/rope.h"

namespace addend::gguf_architecture {

std::string_view GgufName(Architecture architecture) {
  return Name(architecture == Architecture::kMistral ? Architecture::kLlama : architecture);
}

std::vector<float> RopeFactors(const ModelConfig& config) {
  ModelConfig unscaled = config;
  unscaled.rope_scaling = {};
  const std::vector<double> plain = RopeFrequencies(unscaled, RopeKind::kFull);
  const std::vector<double> scaled = RopeFrequencies(config, RopeKind::kFull);
  std::vector<float> factors(plain.size());
  for (size_t i = 0; i < factors.size(); ++i) factors[i] = static_cast<float>(plain[i] / scaled[i]);
  return factors;
}

bool HasInterleavedHeads(Architecture architecture) {
  return architecture == Architecture::kLlama || architecture == Architecture::kMistral;
}

float AttentionScale(const ModelConfig& config) {
  // The two 27B Gemmas, told apart by their depth, scale by the share of a head in the model's width.
  const bool gemma2_27b = config.architecture == Architecture::kGemma2 && config.blocks == 46;
  const bool gemma3_27b = config.architecture == Architecture::kGemma3 && config.blocks == 62;
  const size_t width = gemma2_27b || gemma3_27b ? config.hidden / config.heads : config.head_dim;
  return 1 / std::sqrt(static_cast<float>(width));
}

size_t SlidingPeriod(Architecture architecture) {
  if (architecture == Architecture::kGemma2) return 2;
  if (architecture == Architecture::kGemma3) return 6;
  return 0;
}

std::vector<bool> SlidingBlocks(size_t blocks, size_t period) {
  std::vector<bool> slides(blocks);
  for (size_t i = 0; i < blocks; ++i) slides[i] = period == 0 || (i + 1) % period != 0;
  return slides;
}

}  // namespace addend::gguf_architecture
