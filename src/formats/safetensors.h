// safetensors files, single or sharded: what Hugging Face folders keep weights in. Distrusts every byte.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/tensor_sequence.h"
#include "tensor/dtype.h"

namespace addend {

struct SafetensorsTensor {
  std::string name;
  DType type = DType::kF32;     // F64, F32, F16, BF16 or an integer type; U8 and BOOL count as kI8
  std::vector<uint64_t> shape;  // outermost first: a matrix is {rows, cols}; empty for a single value
  std::span<const std::byte> bytes;
};

// Parses a whole file in memory; the tensors come in the order of their data. Checks the header's size and
// JSON, every name, type and shape, and that the data of the tensors covers the rest of the file without gaps
// or overlaps. Throws Error
// ("ORIGIN: ...").
std::vector<SafetensorsTensor> ParseSafetensors(std::span<const std::byte> file, const std::string& origin);

// All tensors of a model folder: model.safetensors, or the shards named by model.safetensors.index.json.
class SafetensorsFolder {
 public:
  explicit SafetensorsFolder(const Path& folder);  // throws Error
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* Find(std::string_view name) const;
  const SafetensorsTensor& Tensor(std::string_view name) const;  // Error when missing
  const Path& path() const { return folder_; }

 private:
  void AddFile(const Path& path);

  Path folder_;
  std::vector<MappedFile> files_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Writes one file atomically: Describe all, then Data in the same order, then Commit. All throw Error.
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(const Path& path);
  void Describe(std::string name, DType type, std::vector<uint64_t> shape);  // no block types
  void Data(std::span<const std::byte> bytes);
  void Commit();

 private:
  void WriteHeader();

  std::string origin_;
  AtomicFile file_;
  std::vector<SafetensorsTensor> tensors_;  // without bytes
  TensorSequence sequence_;
};

}  // namespace addend
