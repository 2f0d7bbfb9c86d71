#include <string>
#include <utility>
#include <vector>

#include "model/compressed_format.h"
#include "model/model.h"
#include "model/tensor_list.h"
#include "model/tensor_plan.h"

namespace addend {
namespace {

// A visitor for VisitTensors that plans a compressed file (docs/format.md, "Tensors").
class CompressedPlanner {
 public:
  void Embedding(const std::string& name, const addend::Linear& linear) { Weight(name, linear); }

  void Linear(const std::string& name, const addend::Linear& linear, LinearKind) {
    Weight(name, linear);
    if (!linear.bias.empty()) plan.push_back(PlanVector(name + ".bias", linear.bias, DType::kF32));
  }

  void Norm(std::string name, const std::vector<float>& gains, size_t) {
    plan.push_back(PlanVector(std::move(name), gains, DType::kF32));
  }

  TensorPlan plan;

 private:
  void Weight(const std::string& name, const addend::Linear& linear) {
    using namespace compressed_format;
    if (const auto* weight = std::get_if<FactoredWeight>(&linear.weight)) {
      plan.push_back(PlanSigns(name + std::string(kSignsA), weight->A));
      plan.push_back(PlanSigns(name + std::string(kSignsB), weight->B));
      plan.push_back(PlanVector(name + std::string(kScalesA), weight->a, DType::kF16));
      plan.push_back(PlanVector(name + std::string(kScalesMid), weight->mid, DType::kF16));
      plan.push_back(PlanVector(name + std::string(kScalesB), weight->b, DType::kF16));
    } else {
      plan.push_back(PlanStored(name + ".weight", std::get<StoredMatrix>(linear.weight)));
    }
  }
};

GgufMetadata CompressedMetadata(const Model& model) {
  using namespace compressed_format;
  GgufMetadata metadata;
  metadata.Set(std::string(kArchitectureKey), std::string(kArchitecture));
  if (!model.config.name.empty()) metadata.Set(std::string(kNameKey), model.config.name);
  metadata.Set(std::string(kVersionKey), kVersion);
  WriteConfig(model.config, metadata);
  for (const auto& [key, value] : model.metadata.entries()) {
    if (TravelsWithModel(key)) metadata.Set(key, value);
  }
  return metadata;
}

}  // namespace

void SaveModel(const Model& model, const Path& path) {
  CompressedPlanner planner;
  VisitTensors(model, GgufNames(), planner);
  std::vector<std::string> checksums;
  for (const PlannedTensor& tensor : planner.plan) {
    checksums.push_back(compressed_format::ChecksumEntry(tensor.name, MakeTensor(tensor, path).bytes()));
  }
  GgufMetadata metadata = CompressedMetadata(model);
  metadata.Set(std::string(compressed_format::kChecksumsKey), GgufArray(std::move(checksums)));
  metadata.Set(std::string(compressed_format::kMetadataChecksumKey),
               compressed_format::MetadataChecksum(metadata));
  WriteGguf(path, std::move(metadata), planner.plan);
}

}  // namespace addend
