#include "compress/checkpoint.h"

#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "formats/gguf.h"

namespace addend {
namespace {

constexpr const char* kFacts = "addend.checkpoint.facts";
constexpr const char* kHash = "addend.checkpoint.hash";

// Over everything that Load returns, in map order.
std::string HashOf(const Checkpoint& checkpoint, const std::string& facts) {
  std::string hashes = HashText(Hash64(facts));
  for (const auto& [name, values] : checkpoint.floats) {
    hashes += name + HashText(Hash64(std::as_bytes(std::span(values))));
  }
  for (const auto& [name, values] : checkpoint.bytes) hashes += name + HashText(Hash64(values));
  return HashText(Hash64(hashes));
}

template <typename T>
const std::vector<T>& Find(const std::map<std::string, std::vector<T>>& arrays, const std::string& name,
                           size_t size) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) throw Error("checkpoint: '", name, "' is missing");
  if (found->second.size() != size) {
    throw Error("checkpoint: '", name, "' has ", found->second.size(), " elements, ", size, " are needed");
  }
  return found->second;
}

}  // namespace

void Checkpoint::Save(const Path& path) const {
  const std::string text = facts.dump();
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string("addend-checkpoint"));
  metadata.Set(kFacts, text);
  metadata.Set(kHash, HashOf(*this, text));
  GgufWriter writer(path, std::move(metadata));
  for (const auto& [name, values] : floats) writer.Describe(name, DType::kF32, {values.size()});
  for (const auto& [name, values] : bytes) writer.Describe(name, DType::kI8, {values.size()});
  for (const auto& [name, values] : floats) writer.Data(std::as_bytes(std::span(values)));
  for (const auto& [name, values] : bytes) writer.Data(values);
  writer.Commit();
}

Checkpoint Checkpoint::Load(const Path& path) {
  const GgufFile file(path);
  Checkpoint checkpoint;
  const std::string& text = file.metadata().String(kFacts);
  checkpoint.facts = ParseJson(text, path.string());
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.type == DType::kF32) {
      std::vector<float>& values = checkpoint.floats[tensor.name];
      values.resize(tensor.bytes.size() / sizeof(float));
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    } else {
      checkpoint.bytes[tensor.name].assign(tensor.bytes.begin(), tensor.bytes.end());
    }
  }
  if (HashOf(checkpoint, text) != file.metadata().String(kHash))
    throw Error(path.string(), ": damaged: the checksum differs");
  return checkpoint;
}

const std::vector<float>& Checkpoint::Floats(const std::string& name, size_t size) const {
  return Find(floats, name, size);
}

const std::vector<std::byte>& Checkpoint::Bytes(const std::string& name, size_t size) const {
  return Find(bytes, name, size);
}

}  // namespace addend
