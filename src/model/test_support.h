// What the tests of this folder share. For tests only.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "base/json.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "model/tensor_list.h"
#include "support.h"

namespace addend::test {

inline constexpr const char* kTinyModels[] = {"llama", "llama3-rope", "mistral", "qwen2",
                                              "qwen3", "gemma2",      "gemma3"};
inline Path TinyModel(const std::string& name) {
  return GoldenPath("tiny_models") / name;
}

// A copy of a tiny model's folder with a changed config.json.
inline void CopyWithConfig(const std::string& name, const Path& folder,
                           const std::function<void(Json&)>& edit) {
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(TinyModel(name) / "model.safetensors", folder / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  Json config = ParseJson(ReadTextFile(TinyModel(name) / "config.json"), name);
  edit(config);
  WriteFileAtomically(folder / "config.json", config.dump());
}

// A copy of a tiny model's folder with changed tensors: `edit` gets each, and says whether it is kept.
inline void CopyWithTensors(const std::string& name, const Path& folder,
                            const std::function<bool(SafetensorsTensor&)>& edit) {
  const SafetensorsFolder source(TinyModel(name));
  std::vector<SafetensorsTensor> kept;
  for (SafetensorsTensor tensor : source.tensors()) {
    if (edit(tensor)) kept.push_back(std::move(tensor));
  }
  std::filesystem::create_directories(folder);
  SafetensorsWriter writer(folder / "model.safetensors");
  for (const SafetensorsTensor& tensor : kept) writer.Describe(tensor.name, tensor.type, tensor.shape);
  for (const SafetensorsTensor& tensor : kept) writer.Data(tensor.bytes);
  writer.Commit();
  std::filesystem::copy_file(TinyModel(name) / "config.json", folder / "config.json");
}

inline FactoredWeight RandomFactors(size_t outputs, size_t inputs, size_t rank, Rng& random) {
  const auto scales = [&](size_t size) {
    std::vector<float> values(size);
    for (float& value : values) value = random.Normal();
    return values;
  };
  FactoredWeight weight{SignMatrix::Random(outputs, rank, random), SignMatrix::Random(rank, inputs, random),
                        scales(outputs), scales(rank), scales(inputs)};
  weight.RoundScalesToHalf();
  return weight;
}

// A tiny model with every linear factored but those of the last block; ranks around whole bytes of signs.
inline Model FactoredTinyModel(const std::string& name) {
  Model model = LoadModel(TinyModel(name));
  Rng random(7);
  size_t rank = 13;
  for (size_t i = 0; i + 1 < model.blocks.size(); ++i) {
    for (Linear& linear : model.blocks[i].linears) {
      linear.weight = RandomFactors(linear.outputs(), linear.inputs(), rank++, random);
    }
  }
  return model;
}

// With embedding and head factored as well.
inline Model AllFactoredTinyModel(const std::string& name) {
  Model model = FactoredTinyModel(name);
  Rng random(8);
  const auto factor = [&](Linear& linear, size_t rank) {
    linear.weight = RandomFactors(linear.outputs(), linear.inputs(), rank, random);
  };
  factor(model.embedding, 21);
  if (model.head) factor(*model.head, 70);  // more than there are inputs
  return model;
}

// Collects every number of a model by name, for comparing two.
struct NumberCollector {
  void Embedding(const std::string& name, const addend::Linear& linear) {
    const addend::Matrix dense = linear.ToDense();
    numbers[name].assign(dense.values().begin(), dense.values().end());
  }
  void Linear(const std::string& name, const addend::Linear& linear, LinearKind) {
    const addend::Matrix dense = linear.ToDense();
    numbers[name].assign(dense.values().begin(), dense.values().end());
    numbers[name + ".bias"] = linear.bias;
  }
  void Norm(const std::string& name, const std::vector<float>& gains, size_t) { numbers[name] = gains; }

  std::map<std::string, std::vector<float>> numbers;
};

inline std::map<std::string, std::vector<float>> AllNumbers(const Model& model) {
  NumberCollector collector;
  VisitTensors(model, GgufNames(), collector);
  return collector.numbers;
}

}  // namespace addend::test
