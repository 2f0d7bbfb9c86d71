#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "model/export_tokenizer.h"
#include "model/model.h"
#include "model/tensor_list.h"
#include "model/tensor_plan.h"

namespace addend {
namespace {

struct HuggingFaceType {
  std::string_view model_type, class_name;
};

HuggingFaceType TypeOf(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return {"llama", "LlamaForCausalLM"};
    case Architecture::kMistral:
      return {"mistral", "MistralForCausalLM"};
    case Architecture::kQwen2:
      return {"qwen2", "Qwen2ForCausalLM"};
    case Architecture::kQwen3:
      return {"qwen3", "Qwen3ForCausalLM"};
    case Architecture::kGemma2:
      return {"gemma2", "Gemma2ForCausalLM"};
    case Architecture::kGemma3:
      return {"gemma3_text", "Gemma3ForCausalLM"};
  }
  throw Error("export: not an architecture: ", static_cast<int>(architecture));
}

bool IsGemma(Architecture architecture) {
  return architecture == Architecture::kGemma2 || architecture == Architecture::kGemma3;
}

constexpr std::array kAttentionLinears = {LinearKind::kQ, LinearKind::kK, LinearKind::kV, LinearKind::kO};
constexpr std::array kFeedForwardLinears = {LinearKind::kGate, LinearKind::kUp, LinearKind::kDown};

// Which linears have a bias in a folder: config.json speaks of all of attention or all of feed-forward, so
// that where one of them has a bias, the others get zeros.
class BiasesInFolder {
 public:
  explicit BiasesInFolder(const Model& model)
      : architecture_(model.config.architecture),
        attention_(Any(model, kAttentionLinears)),
        feed_forward_(Any(model, kFeedForwardLinears)) {
    if (attention_ && architecture_ == Architecture::kMistral) Refuse("attention");
    if (feed_forward_ && architecture_ != Architecture::kLlama) Refuse("feed-forward");
  }

  bool attention() const { return attention_; }
  bool feed_forward() const { return feed_forward_; }
  bool Has(LinearKind kind) const {
    if (architecture_ == Architecture::kQwen2)
      return kind == LinearKind::kQ || kind == LinearKind::kK || kind == LinearKind::kV;
    return std::find(kAttentionLinears.begin(), kAttentionLinears.end(), kind) != kAttentionLinears.end()
               ? attention_
               : feed_forward_;
  }

 private:
  template <typename Kinds>
  static bool Any(const Model& model, const Kinds& kinds) {
    return std::any_of(model.blocks.begin(), model.blocks.end(), [&](const Block& block) {
      return std::any_of(kinds.begin(), kinds.end(),
                         [&](LinearKind kind) { return !block[kind].bias.empty(); });
    });
  }

  void Refuse(const char* part) const {
    throw Error("export: ", Name(architecture_), " in Hugging Face's form has no biases in its ", part);
  }

  Architecture architecture_;
  bool attention_, feed_forward_;
};

// ---- config.json ----

// The shortest decimal that is this float again: 1e-05, not 9.999999747378752e-06.
Json Number(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text - 1, value).ptr;
  *end = '\0';
  return std::strtod(text, nullptr);
}

Json RopeScalingJson(const RopeScaling& scaling) {
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
      return nullptr;
    case RopeScaling::Kind::kLinear:
      return {{"rope_type", "linear"}, {"factor", Number(scaling.factor)}};
    case RopeScaling::Kind::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", Number(scaling.factor)},
              {"low_freq_factor", Number(scaling.low_frequency_factor)},
              {"high_freq_factor", Number(scaling.high_frequency_factor)},
              {"original_max_position_embeddings", scaling.original_context}};
    case RopeScaling::Kind::kFactors:
      break;
  }
  throw Error(
      "export: config.json cannot say this model's list of rope factors, which is not Llama 3's; "
      "a .gguf file can");
}

// Some versions of transformers want an integer where the value is one.
Json IntegerIfWhole(double value) {
  const double whole = std::round(value);
  if (std::abs(value - whole) > 1e-4 * whole) return value;
  return static_cast<uint64_t>(whole);
}

void SetSlidingWindow(const ModelConfig& config, Json& json) {
  const Architecture architecture = config.architecture;
  const bool any = config.sliding_window > 0;
  json["sliding_window"] = any ? Json(config.sliding_window) : Json(nullptr);
  if (architecture == Architecture::kMistral) {
    if (any && std::find(config.slides.begin(), config.slides.end(), false) != config.slides.end()) {
      throw Error("export: config.json of a mistral cannot say that only some blocks slide");
    }
    return;
  }
  if (!IsGemma(architecture)) json["use_sliding_window"] = any;
  Json types = Json::array();
  for (const bool slides : config.slides) types.push_back(slides ? "sliding_attention" : "full_attention");
  json["layer_types"] = std::move(types);
}

void SetGemma(const ModelConfig& config, Json& json) {
  const double scale = config.attention_scale;
  json["query_pre_attn_scalar"] = IntegerIfWhole(1 / (scale * scale));
  const auto cap = [](float value) { return value > 0 ? Number(value) : Json(nullptr); };
  json["attn_logit_softcapping"] = cap(config.attention_softcap);
  json["final_logit_softcapping"] = cap(config.logit_softcap);
  if (config.architecture == Architecture::kGemma3)
    json["rope_local_base_freq"] = Number(config.rope_theta_sliding);
}

// The token ids under config.json's names, where the metadata knows them.
void SetTokenIds(const GgufMetadata& metadata, Json& json) {
  for (const char* name : {"bos_token_id", "eos_token_id"}) {
    const std::string key = "tokenizer.ggml." + std::string(name);
    if (metadata.Has(key)) json[name] = metadata.Integer(key);
  }
}

std::string_view TorchName(DType type) {
  switch (type) {
    case DType::kF32:
      return "float32";
    case DType::kF16:
      return "float16";
    case DType::kBF16:
      return "bfloat16";
    default:
      throw Error("export: ", Info(type).name, " is not supported (f32, f16 and bf16 are)");
  }
}

// In the spelling of rope that every version of transformers reads.
Json ConfigJson(const Model& model, const BiasesInFolder& biases, DType type) {
  const ModelConfig& config = model.config;
  const HuggingFaceType hugging_face = TypeOf(config.architecture);
  const char* const activation = config.activation == Activation::kSilu ? "silu" : "gelu_pytorch_tanh";
  Json json = {
      {"architectures", {hugging_face.class_name}},
      {"model_type", hugging_face.model_type},
      {"torch_dtype", TorchName(type)},
      {"vocab_size", config.vocabulary},
      {"hidden_size", config.hidden},
      {"intermediate_size", config.feed_forward},
      {"num_hidden_layers", config.blocks},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"max_position_embeddings", config.context},
      {IsGemma(config.architecture) ? "hidden_activation" : "hidden_act", activation},
      {"rms_norm_eps", Number(config.norm_epsilon)},
      {"rope_theta", Number(config.rope_theta)},
      {"rope_scaling", RopeScalingJson(config.rope_scaling)},
      {"attention_bias", biases.attention()},
      {"tie_word_embeddings", config.tied_head},
  };
  if (config.architecture == Architecture::kLlama) {
    if (config.sliding_window > 0) throw Error("export: config.json of a llama has no sliding window");
    json["mlp_bias"] = biases.feed_forward();
  } else {
    SetSlidingWindow(config, json);
  }
  if (IsGemma(config.architecture)) SetGemma(config, json);
  SetTokenIds(model.metadata, json);
  return json;
}

// ---- model.safetensors ----

// A visitor for VisitTensors that plans the folder's tensors.
class FolderPlanner {
 public:
  FolderPlanner(const ModelConfig& config, const BiasesInFolder& biases, DType type)
      : config_(config), biases_(biases), type_(type) {}

  void Embedding(const std::string& name, const addend::Linear& linear) {
    plan.push_back(PlanDense(name + ".weight", linear, type_));
  }

  void Linear(const std::string& name, const addend::Linear& linear, LinearKind kind) {
    plan.push_back(PlanDense(name + ".weight", linear, type_));
    if (biases_.Has(kind)) {
      PlanBias(name + ".bias", linear);
    } else if (!linear.bias.empty()) {
      throw Error("export: ", Name(config_.architecture), " in Hugging Face's form has no '", name, ".bias'");
    }
  }

  // Gemma's files leave out the 1 of 1 + w.
  void Norm(std::string name, const std::vector<float>& gains, size_t) {
    const float offset = IsGemma(config_.architecture) ? 1.0f : 0.0f;
    plan.push_back({std::move(name), DType::kF32, {gains.size()}, [&gains, offset] {
                      std::vector<float> stored = gains;
                      for (float& gain : stored) gain -= offset;
                      return PlanVector("", stored, DType::kF32).make();
                    }});
  }

  TensorPlan plan;

 private:
  void PlanBias(std::string name, const addend::Linear& linear) {
    plan.push_back({std::move(name), DType::kF32, {linear.outputs()}, [&linear] {
                      const std::vector<float> zeros(linear.bias.empty() ? linear.outputs() : 0);
                      return PlanVector("", linear.bias.empty() ? zeros : linear.bias, DType::kF32).make();
                    }});
  }

  const ModelConfig& config_;
  const BiasesInFolder& biases_;
  DType type_;
};

void WriteSafetensors(const Path& path, const TensorPlan& plan) {
  SafetensorsWriter writer(path);
  for (const PlannedTensor& tensor : plan) writer.Describe(tensor.name, tensor.type, tensor.shape);
  for (const PlannedTensor& tensor : plan) {
    ThrowIfInterrupted();
    writer.Data(MakeTensor(tensor, path).bytes());
  }
  writer.Commit();
}

void WriteTokenizer(const GgufMetadata& metadata, const Path& folder) {
  const std::string tokenizer = TokenizerJsonText(metadata);
  if (tokenizer.empty()) return;
  WriteFileAtomically(folder / "tokenizer.json", tokenizer);
  WriteFileAtomically(folder / "tokenizer_config.json", TokenizerConfigText(metadata));
}

}  // namespace

void ExportHuggingFace(const Model& model, const Path& folder, DType type) {
  const BiasesInFolder biases(model);
  const Json config = ConfigJson(model, biases, type);
  FolderPlanner planner(model.config, biases, type);
  VisitTensors(model, HuggingFaceNames(model.config), planner);

  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) throw Error(folder.string(), ": cannot make the folder: ", problem.message());
  WriteSafetensors(folder / "model.safetensors", planner.plan);
  WriteTokenizer(model.metadata, folder);
  WriteFileAtomically(folder / "config.json", config.dump(2) + "\n");
}

}  // namespace addend
