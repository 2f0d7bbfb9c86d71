// What the loaders share: the named tensors of a file, handed out against the shapes that the config asks
// for.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/model.h"

namespace addend {

struct SourceTensor {
  DType type = DType::kF32;
  std::vector<uint64_t> shape;  // outermost first: a matrix is {rows, cols}
  std::span<const std::byte> bytes;
};

// The tensors of a file or folder by name. It remembers which were taken, because one that nobody takes is a
// part of the model that would be left out of the arithmetic.
class TensorSource {
 public:
  explicit TensorSource(std::string origin) : origin_(std::move(origin)) {}
  static TensorSource From(const GgufFile& file);

  void Add(std::string name, SourceTensor tensor) { entries_[std::move(name)].tensor = std::move(tensor); }
  const std::string& origin() const { return origin_; }
  const SourceTensor* Find(std::string_view name) const;

  // Each throws Error when the tensor is missing or of another shape or a type that holds no numbers.
  const SourceTensor& Take(std::string_view name, const std::vector<uint64_t>& shape);
  StoredMatrix TakeMatrix(std::string_view name, size_t rows, size_t cols);
  std::vector<float> TakeVector(std::string_view name, size_t size);  // finite values only

  void RefuseUntaken() const;  // Error naming the first tensor that was not taken

 private:
  struct Entry {
    SourceTensor tensor;
    bool taken = false;
  };
  std::string origin_;
  std::map<std::string, Entry, std::less<>> entries_;
};

enum class BiasRule { kNone, kNeeded, kIfPresent };

// A visitor for VisitTensors (model/tensor_list.h) that fills a model from dense tensors.
class DenseReader {
 public:
  using BiasRules = std::array<BiasRule, kLinearKinds.size()>;  // by LinearKind

  // `norm_offset` is added to the gains: 1 where a file has them as Hugging Face's Gemma.
  DenseReader(const ModelConfig& config, TensorSource& source, BiasRules biases, float norm_offset);

  void Embedding(const std::string& name, addend::Linear& linear);
  void Linear(const std::string& name, addend::Linear& linear, LinearKind kind);
  void Norm(const std::string& name, std::vector<float>& gains, size_t size);

 protected:
  void ReadBias(const std::string& name, addend::Linear& linear, LinearKind kind);

  const ModelConfig& config_;
  TensorSource& source_;

 private:
  BiasRules biases_;
  float norm_offset_;
};

// A model with room for what its config says there is, to be filled by VisitTensors.
Model EmptyModel(ModelConfig config);

// What a file says about the model beside its config: tokenizer, recipe, author, ...
GgufMetadata ModelMetadata(const GgufMetadata& file);

// The three kinds of source. LoadModel (model/load.cpp) finds out which one a path is.
Model LoadHuggingFace(const Path& folder);
Model LoadDenseGguf(std::shared_ptr<const GgufFile> file);
Model LoadCompressed(std::shared_ptr<const GgufFile> file);

}  // namespace addend
