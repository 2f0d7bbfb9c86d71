// config.json of a Hugging Face folder -> ModelConfig, with the defaults of transformers' configuration
// classes and both of its spellings of rope: "rope_theta" with "rope_scaling" (versions before 5) and
// "rope_parameters".
#pragma once
#include <string_view>

#include "base/json.h"
#include "model/config.h"
#include "model/load_tensors.h"

namespace addend {

struct HuggingFaceConfig {
  ModelConfig model;
  DenseReader::BiasRules biases;
  float norm_offset = 0;  // what files leave out of norm gains: Gemma's 1
};

// model_type llama, mistral, qwen2, qwen3, gemma2, gemma3_text, or gemma3 (of which the text model is taken).
// Throws Error that begins with `origin` for whatever the arithmetic here would not honour: another
// model_type, rope type or activation, quantised weights, absurd values.
HuggingFaceConfig ParseHuggingFaceConfig(const Json& config, std::string_view origin);

}  // namespace addend
