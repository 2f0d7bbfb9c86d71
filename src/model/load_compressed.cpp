#include <map>
#include <string>
#include <utility>

#include "base/error.h"
#include "model/compressed_format.h"
#include "model/load_tensors.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

void CheckVersions(const GgufFile& file) {
  const GgufMetadata& metadata = file.metadata();
  if (file.version() != 3) {
    throw Error(metadata.origin, ": GGUF version ", file.version(), ", compressed models have 3");
  }
  const uint64_t version = metadata.Integer(compressed_format::kVersionKey);
  if (version == 0 || version > compressed_format::kVersion) {
    throw Error(metadata.origin, ": format version ", version, ", this program reads up to ",
                compressed_format::kVersion);
  }
}

void CheckMetadata(const GgufMetadata& metadata) {
  using namespace compressed_format;
  const bool needed = metadata.Integer(kVersionKey) >= kFirstWithMetadataChecksum;
  if (!needed && !metadata.Has(kMetadataChecksumKey)) return;
  if (metadata.String(kMetadataChecksumKey) != MetadataChecksum(metadata)) {
    throw Error(metadata.origin, ": the metadata is damaged: its checksum differs");
  }
}

void CheckChecksums(const GgufFile& file) {
  const std::string origin = file.path().string();
  std::map<std::string_view, std::string_view> entries;  // tensor name -> whole entry
  for (const std::string& entry : file.metadata().Array<std::string>(compressed_format::kChecksumsKey)) {
    const std::string_view name = std::string_view(entry).substr(0, entry.rfind(' '));
    if (file.Find(name) == nullptr) throw Error(origin, ": there is a checksum, but no tensor '", name, "'");
    entries[name] = entry;
  }
  for (const GgufTensor& tensor : file.tensors()) {
    const auto found = entries.find(tensor.name);
    if (found == entries.end()) throw Error(origin, ": tensor '", tensor.name, "' has no checksum");
    if (compressed_format::ChecksumEntry(tensor.name, tensor.bytes) != found->second) {
      throw Error(origin, ": tensor '", tensor.name, "' is damaged: its checksum differs");
    }
  }
}

bool IsFactored(const TensorSource& source, const std::string& name) {
  return source.Find(name + std::string(compressed_format::kSignsA)) != nullptr;
}

// A visitor for VisitTensors: linears, embedding and head are factored or dense.
class CompressedReader : public DenseReader {
 public:
  CompressedReader(const ModelConfig& config, TensorSource& source)
      : DenseReader(config, source, AnyBias(), /*norm_offset=*/0) {}

  void Embedding(const std::string& name, addend::Linear& linear) {
    if (!IsFactored(source_, name)) return DenseReader::Embedding(name, linear);
    linear.weight = ReadFactors(name, {config_.vocabulary, config_.hidden});
  }

  void Linear(const std::string& name, addend::Linear& linear, LinearKind kind) {
    if (!IsFactored(source_, name)) return DenseReader::Linear(name, linear, kind);
    linear.weight = ReadFactors(name, ShapeOf(config_, kind));
    ReadBias(name, linear, kind);
  }

 private:
  static BiasRules AnyBias() {
    BiasRules rules;
    rules.fill(BiasRule::kIfPresent);
    return rules;
  }

  FactoredWeight ReadFactors(const std::string& name, LinearShape shape) {
    using namespace compressed_format;
    const std::string mid_name = name + std::string(kScalesMid);
    const SourceTensor* mid = source_.Find(mid_name);
    const size_t rank = mid != nullptr && !mid->shape.empty() ? mid->shape[0] : 0;
    FactoredWeight weight;
    weight.mid = source_.TakeVector(mid_name, rank);
    weight.a = source_.TakeVector(name + std::string(kScalesA), shape.outputs);
    weight.b = source_.TakeVector(name + std::string(kScalesB), shape.inputs);
    weight.A = ReadSigns(name + std::string(kSignsA), shape.outputs, rank);
    weight.B = ReadSigns(name + std::string(kSignsB), rank, shape.inputs);
    WithContext(source_.origin() + ": '" + name + "'", [&] { weight.Validate(); });
    return weight;
  }

  SignMatrix ReadSigns(const std::string& name, size_t rows, size_t cols) {
    const SourceTensor& tensor = source_.Take(name, {rows, SignMatrix::RowBytes(cols)});
    if (tensor.type != DType::kI8) {
      throw Error(source_.origin(), ": tensor '", name, "' is ", Info(tensor.type).name, ", signs are i8");
    }
    return SignMatrix::FromBytes(tensor.bytes, rows, cols);
  }
};

}  // namespace

Model LoadCompressed(std::shared_ptr<const GgufFile> file) {
  CheckVersions(*file);
  CheckMetadata(file->metadata());
  CheckChecksums(*file);
  TensorSource source = TensorSource::From(*file);
  ModelConfig config = compressed_format::ReadConfig(file->metadata());
  const std::string head(GgufNames().head);
  config.tied_head = source.Find(head + ".weight") == nullptr && !IsFactored(source, head);
  Model model = EmptyModel(std::move(config));
  VisitTensors(model, GgufNames(), CompressedReader(model.config, source));
  source.RefuseUntaken();
  model.metadata = ModelMetadata(file->metadata());
  model.storage = {std::move(file)};
  return model;
}

}  // namespace addend
