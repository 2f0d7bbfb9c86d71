// safetensors files, single or sharded: what Hugging Face folders keep weights in. Distrusts every byte.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/dtype.h"

namespace addend {

struct SafetensorsTensor {
  std::string name;
  DType type = DType::kF32;     // F32, F16, BF16 or an integer type
  std::vector<uint64_t> shape;  // outermost first: a matrix is {rows, cols}
  std::span<const std::byte> bytes;
};

// All tensors of a model folder: model.safetensors, or the shards named by model.safetensors.index.json.
class SafetensorsFolder {
 public:
  explicit SafetensorsFolder(const Path& folder);  // throws Error
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* Find(std::string_view name) const;
  const SafetensorsTensor& Tensor(std::string_view name) const;  // Error when missing
  const Path& path() const { return folder_; }

 private:
  Path folder_;
  std::vector<MappedFile> files_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Writes one file atomically: Describe all, then Data in the same order, then Commit.
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(const Path& path);
  void Describe(std::string name, DType type, std::vector<uint64_t> shape);
  void Data(std::span<const std::byte> bytes);
  void Commit();

 private:
  void WriteHeader();
  AtomicFile file_;
  std::vector<SafetensorsTensor> tensors_;
  size_t next_ = 0;
  bool header_written_ = false;
};

}  // namespace addend
