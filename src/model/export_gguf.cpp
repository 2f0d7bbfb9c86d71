#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/gguf_architecture.h"
#include "model/gguf_rows.h"
#include "model/model.h"
#include "model/tensor_list.h"
#include "model/tensor_plan.h"

namespace addend {
namespace {

// The keys that llama.cpp reads; "<architecture>.<name>" for the config.
class MetadataWriter {
 public:
  explicit MetadataWriter(const ModelConfig& config)
      : config_(config), prefix_(std::string(gguf_architecture::GgufName(config.architecture)) + ".") {}

  GgufMetadata Write(const GgufMetadata& of_model, DType type) {
    SetGeneral(type);
    SetSizes();
    SetArithmetic();
    SetSlidingWindow();
    SetRope();
    for (const auto& [key, value] : of_model.entries()) {
      const bool standard = key.starts_with("tokenizer.") || key.starts_with("general.");
      if (standard && !metadata_.Has(key)) metadata_.Set(key, value);
    }
    return std::move(metadata_);
  }

 private:
  void SetSize(const char* name, size_t value) {
    metadata_.Set(prefix_ + name, static_cast<uint32_t>(value));
  }
  void SetFloat(const char* name, float value) { metadata_.Set(prefix_ + name, value); }

  void SetGeneral(DType type) {
    metadata_.Set("general.architecture", std::string(gguf_architecture::GgufName(config_.architecture)));
    metadata_.Set("general.type", std::string("model"));
    if (!config_.name.empty()) metadata_.Set("general.name", config_.name);
    metadata_.Set("general.file_type", FileType(type));
  }

  // llama.cpp's llama_ftype: what most tensors are
  static uint32_t FileType(DType type) {
    switch (type) {
      case DType::kF32:
        return 0;
      case DType::kF16:
        return 1;
      case DType::kBF16:
        return 32;
      default:
        throw Error("export: ", Info(type).name, " is not supported (f32, f16 and bf16 are)");
    }
  }

  void SetSizes() {
    SetSize("block_count", config_.blocks);
    SetSize("context_length", config_.context);
    SetSize("embedding_length", config_.hidden);
    SetSize("feed_forward_length", config_.feed_forward);
    SetSize("vocab_size", config_.vocabulary);
    SetSize("attention.head_count", config_.heads);
    SetSize("attention.head_count_kv", config_.kv_heads);
    SetSize("attention.key_length", config_.head_dim);
    SetSize("attention.value_length", config_.head_dim);
  }

  void SetArithmetic() {
    SetFloat("attention.layer_norm_rms_epsilon", config_.norm_epsilon);
    if (config_.attention_softcap > 0) SetFloat("attn_logit_softcapping", config_.attention_softcap);
    if (config_.logit_softcap > 0) SetFloat("final_logit_softcapping", config_.logit_softcap);
    const float usual = gguf_architecture::AttentionScale(config_);
    if (std::abs(config_.attention_scale - usual) > 1e-6f * usual)
      SetFloat("attention.scale", config_.attention_scale);
  }

  void SetSlidingWindow() {
    if (config_.sliding_window == 0) return;
    SetSize("attention.sliding_window", config_.sliding_window);
    const size_t period = gguf_architecture::SlidingPeriod(config_.architecture);
    if (config_.slides != gguf_architecture::SlidingBlocks(config_.blocks, period)) {
      metadata_.Set(prefix_ + "attention.sliding_window_pattern", GgufArray(config_.slides));
    }
  }

  void SetRope() {
    SetSize("rope.dimension_count", config_.head_dim);
    SetFloat("rope.freq_base", config_.rope_theta);
    if (config_.rope_theta_sliding != config_.rope_theta)
      SetFloat("rope.freq_base_swa", config_.rope_theta_sliding);
    if (config_.rope_scaling.kind == RopeScaling::Kind::kLinear) {
      metadata_.Set(prefix_ + "rope.scaling.type", std::string("linear"));
      SetFloat("rope.scaling.factor", config_.rope_scaling.factor);
    }
  }

  const ModelConfig& config_;
  std::string prefix_;
  GgufMetadata metadata_;
};

// A visitor for VisitTensors that plans the file's tensors.
class GgufPlanner {
 public:
  GgufPlanner(const ModelConfig& config, DType type) : config_(config), type_(type) { PlanRopeFactors(); }

  void Embedding(const std::string& name, const addend::Linear& linear) {
    plan.push_back(PlanDense(name + ".weight", linear, type_));
  }

  void Linear(const std::string& name, const addend::Linear& linear, LinearKind kind) {
    const bool turned = kind == LinearKind::kQ || kind == LinearKind::kK;
    const bool interleaved = turned && gguf_architecture::HasInterleavedHeads(config_.architecture);
    Add(PlanDense(name + ".weight", linear, type_), interleaved);
    if (!linear.bias.empty()) Add(PlanVector(name + ".bias", linear.bias, DType::kF32), interleaved);
  }

  void Norm(std::string name, const std::vector<float>& gains, size_t) {
    plan.push_back(PlanVector(std::move(name), gains, DType::kF32));
  }

  TensorPlan plan;

 private:
  void PlanRopeFactors() {
    const RopeScaling::Kind kind = config_.rope_scaling.kind;
    if (kind != RopeScaling::Kind::kLlama3 && kind != RopeScaling::Kind::kFactors) return;
    rope_factors_ = gguf_architecture::RopeFactors(config_);
    plan.push_back(PlanVector(std::string(gguf_architecture::kRopeFactors), rope_factors_, DType::kF32));
  }

  void Add(PlannedTensor tensor, bool interleaved) {
    if (interleaved) {
      tensor.make = [in_halves = std::move(tensor.make), head_dim = config_.head_dim] {
        return Interleaved(in_halves(), head_dim);
      };
    }
    plan.push_back(std::move(tensor));
  }

  const ModelConfig& config_;
  DType type_;
  std::vector<float> rope_factors_;
};

}  // namespace

void ExportGguf(const Model& model, const Path& path, DType type) {
  GgufMetadata metadata = MetadataWriter(model.config).Write(model.metadata, type);
  GgufPlanner planner(model.config, type);
  VisitTensors(model, GgufNames(), planner);
  WriteGguf(path, std::move(metadata), planner.plan);
}

}  // namespace addend
