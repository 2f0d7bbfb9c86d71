// GGUF v2/v3 files: the container that ggml programs share. Reading distrusts every byte; writing is atomic.
// Layout: magic, version, counts, key-value pairs, tensor descriptions, padding, tensor data.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "formats/tensor_sequence.h"
#include "tensor/dtype.h"

namespace addend {

// An array of one element type. Nested arrays do not occur in practice and are refused.
using GgufArray =
    std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                 std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                 std::vector<std::string>, std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, uint64_t, int64_t, double, GgufArray>;

// Keys in file order, each once.
class GgufMetadata {
 public:
  void Set(std::string key, GgufValue value);  // replaces
  const GgufValue* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  const std::vector<std::pair<std::string, GgufValue>>& entries() const { return entries_; }

  // Typed access; Error ("FILE: key 'x' ...") when the key is missing or holds something else.
  // Any integer type is accepted where it fits; an integer or f64 is accepted for Float.
  uint64_t Integer(std::string_view key) const;
  int64_t SignedInteger(std::string_view key) const;
  double Float(std::string_view key) const;
  bool Bool(std::string_view key) const;
  const std::string& String(std::string_view key) const;
  template <typename T>
  const std::vector<T>& Array(std::string_view key) const;  // exactly that element type

  // The same with a default for a missing key; a wrong type is still an Error.
  uint64_t IntegerOr(std::string_view key, uint64_t fallback) const;
  double FloatOr(std::string_view key, double fallback) const;
  bool BoolOr(std::string_view key, bool fallback) const;
  std::string StringOr(std::string_view key, std::string fallback) const;

  std::string origin = "metadata";  // put before error texts: the file's path

 private:
  std::vector<std::pair<std::string, GgufValue>> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

// The key-value pairs one after the other, each byte as in a file; without the one of `left_out`.
std::string Serialised(const GgufMetadata& metadata, std::string_view left_out = {});

// shape[0] is the contiguous dimension, as GGUF stores it: a (rows x cols) matrix has shape {cols, rows}.
struct GgufTensor {
  std::string name;
  DType type = DType::kF32;
  std::vector<uint64_t> shape;  // 1 to 4 dimensions
  std::span<const std::byte> bytes;
};

struct GgufContents {
  uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in file order, each name once; bytes point into the parsed file
};

// Parses a whole file in memory and checks its structure: every count, offset, size, type, alignment and
// duplicate. Values of tensors are not looked at. Tensors may overlap. Throws Error ("ORIGIN: ...").
GgufContents ParseGguf(std::span<const std::byte> file, const std::string& origin);

class GgufFile {
 public:
  explicit GgufFile(const Path& path);  // maps and parses; throws Error

  const Path& path() const { return file_.path(); }
  uint32_t version() const { return contents_.version; }
  const GgufMetadata& metadata() const { return contents_.metadata; }
  const std::vector<GgufTensor>& tensors() const { return contents_.tensors; }  // bytes point into the map
  const GgufTensor* Find(std::string_view name) const;
  const GgufTensor& Tensor(std::string_view name) const;  // Error when missing

 private:
  MappedFile file_;
  GgufContents contents_;
  std::map<std::string, size_t, std::less<>> index_;
};

bool LooksLikeGguf(const Path& path);  // by its magic; false when it cannot be read

// Writes GGUF v3 with alignment 32 (whatever the metadata said): describe all tensors, then give their bytes
// in the same order. The same input gives the same bytes.
//   GgufWriter writer(path, metadata);
//   writer.Describe("x", DType::kF16, {cols, rows}); ...
//   writer.Data(bytes); ...  // one call for each tensor; the size must match
//   writer.Commit();
// All throw Error; without Commit nothing appears under `path`.
class GgufWriter {
 public:
  GgufWriter(const Path& path, GgufMetadata metadata);
  void Describe(std::string name, DType type, std::vector<uint64_t> shape);
  void Data(std::span<const std::byte> bytes);
  void Commit();  // Error when tensors lack their data

 private:
  void WriteHeader();

  std::string origin_;
  AtomicFile file_;
  GgufMetadata metadata_;
  std::vector<GgufTensor> tensors_;  // without bytes
  TensorSequence sequence_;
};

}  // namespace addend
