#include "model/load_tensors.h"

#include <sstream>
#include <utility>

#include "base/error.h"
#include "model/compressed_format.h"

namespace addend {
namespace {

std::string ShapeText(const std::vector<uint64_t>& shape) {
  std::ostringstream text;
  text << "[";
  for (size_t i = 0; i < shape.size(); ++i) text << (i > 0 ? ", " : "") << shape[i];
  text << "]";
  return text.str();
}

bool HoldsNumbers(DType type) {
  return type != DType::kI8 && type != DType::kI16 && type != DType::kI32 && type != DType::kI64;
}

}  // namespace

TensorSource TensorSource::From(const GgufFile& file) {
  TensorSource source(file.path().string());
  for (const GgufTensor& tensor : file.tensors()) {
    source.Add(tensor.name, {tensor.type, {tensor.shape.rbegin(), tensor.shape.rend()}, tensor.bytes});
  }
  return source;
}

const SourceTensor* TensorSource::Find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.tensor;
}

const SourceTensor& TensorSource::Take(std::string_view name, const std::vector<uint64_t>& shape) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(origin_, ": tensor '", name, "' is missing");
  const SourceTensor& tensor = found->second.tensor;
  if (tensor.shape != shape) {
    throw Error(origin_, ": tensor '", name, "' is ", Info(tensor.type).name, " ", ShapeText(tensor.shape),
                ", the model's config needs ", ShapeText(shape));
  }
  found->second.taken = true;
  return tensor;
}

StoredMatrix TensorSource::TakeMatrix(std::string_view name, size_t rows, size_t cols) {
  const SourceTensor& tensor = Take(name, {rows, cols});
  if (!HoldsNumbers(tensor.type)) {
    throw Error(origin_, ": tensor '", name, "' is of the integer type ", Info(tensor.type).name);
  }
  return WithContext(origin_ + ": tensor '" + std::string(name) + "'",
                     [&] { return StoredMatrix(tensor.type, rows, cols, tensor.bytes); });
}

std::vector<float> TensorSource::TakeVector(std::string_view name, size_t size) {
  const SourceTensor& tensor = Take(name, {size});
  std::vector<float> values(size);
  WithContext(origin_ + ": tensor '" + std::string(name) + "'",
              [&] { Dequantize(tensor.type, tensor.bytes, values); });
  const size_t bad = FirstNonFinite(values);
  if (bad != size) throw Error(origin_, ": tensor '", name, "': value ", bad, " is not finite");
  return values;
}

void TensorSource::RefuseUntaken() const {
  for (const auto& [name, entry] : entries_) {
    if (!entry.taken) {
      throw Error(origin_, ": tensor '", name, "' is not a part of the model that its config describes");
    }
  }
}

DenseReader::DenseReader(const ModelConfig& config, TensorSource& source, BiasRules biases, float norm_offset)
    : config_(config), source_(source), biases_(biases), norm_offset_(norm_offset) {}

void DenseReader::Embedding(const std::string& name, addend::Linear& linear) {
  linear.weight = source_.TakeMatrix(name + ".weight", config_.vocabulary, config_.hidden);
}

void DenseReader::Linear(const std::string& name, addend::Linear& linear, LinearKind kind) {
  const LinearShape shape = ShapeOf(config_, kind);
  linear.weight = source_.TakeMatrix(name + ".weight", shape.outputs, shape.inputs);
  ReadBias(name, linear, kind);
}

void DenseReader::ReadBias(const std::string& name, addend::Linear& linear, LinearKind kind) {
  const std::string bias = name + ".bias";
  const BiasRule rule = biases_[static_cast<size_t>(kind)];
  if (rule == BiasRule::kNeeded || (rule == BiasRule::kIfPresent && source_.Find(bias) != nullptr)) {
    linear.bias = source_.TakeVector(bias, ShapeOf(config_, kind).outputs);
  }
}

void DenseReader::Norm(const std::string& name, std::vector<float>& gains, size_t size) {
  gains = source_.TakeVector(name, size);
  for (float& gain : gains) gain += norm_offset_;
}

Model EmptyModel(ModelConfig config) {
  Model model;
  model.blocks.resize(config.blocks);
  if (!config.tied_head) model.head.emplace();
  model.config = std::move(config);
  return model;
}

GgufMetadata ModelMetadata(const GgufMetadata& file) {
  GgufMetadata kept;
  kept.origin = file.origin;
  for (const auto& [key, value] : file.entries()) {
    if (compressed_format::TravelsWithModel(key)) kept.Set(key, value);
  }
  return kept;
}

}  // namespace addend
