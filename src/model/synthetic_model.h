// Models of random numbers in any shape, to measure the speed of a model that is not at hand.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/threads.h"
#include "model/model.h"

namespace addend {

// The shape of a known model, "llama-2-7b" for example. Throws Error listing the names when there is none of
// that name.
ModelConfig ShapeNamed(std::string_view name);
std::vector<std::string> ShapeNames();  // "smollm2-135m", "llama-2-7b", ...
// That of the model that a config.json (Hugging Face) describes; its weights need not be there.
ModelConfig ShapeFromConfig(const Path& config_json);

struct SyntheticOptions {
  double bits = 1;                 // per weight of the linear layers, which are factored
  DType embedding = DType::kQ8_0;  // embedding and head: a type that Quantize can make
  uint64_t seed = 1;
};

// Signs at random; scales such that activations keep their size from layer to layer, around which they vary
// as in a real model. The same for any number of threads. Without a tokenizer: it computes and can be saved,
// and says nothing. Throws Error when not even rank 1 fits `bits`.
Model SyntheticModel(const ModelConfig& config, const SyntheticOptions& options, ThreadPool& pool);

}  // namespace addend
