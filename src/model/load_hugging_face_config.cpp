#include "model/load_hugging_face_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"

namespace addend {
namespace {

// What a config.json of this type may leave out. 0 = it may not, or (marked) it follows from other fields.
struct Defaults {
  std::string_view model_type;
  Architecture architecture;
  size_t heads;
  size_t kv_heads;  // 0 = heads
  size_t head_dim;  // 0 = hidden / heads
  size_t vocabulary;
  size_t context;
  bool tied_head;
  double rope_theta;
  size_t sliding_window;
};

// transformers 5, configuration_*.py
constexpr std::array kDefaults = {
    Defaults{"llama", Architecture::kLlama, 0, 0, 0, 0, 2048, false, 1e4, 0},
    Defaults{"mistral", Architecture::kMistral, 0, 8, 0, 0, 131072, false, 1e4, 4096},
    Defaults{"qwen2", Architecture::kQwen2, 0, 32, 0, 0, 32768, false, 1e4, 4096},
    Defaults{"qwen3", Architecture::kQwen3, 0, 32, 128, 0, 32768, false, 1e4, 4096},
    Defaults{"gemma2", Architecture::kGemma2, 8, 4, 256, 256000, 8192, true, 1e4, 4096},
    Defaults{"gemma3_text", Architecture::kGemma3, 8, 4, 256, 262208, 131072, true, 1e6, 4096},
};

bool IsGemma(Architecture architecture) {
  return architecture == Architecture::kGemma2 || architecture == Architecture::kGemma3;
}
bool IsQwen(Architecture architecture) {
  return architecture == Architecture::kQwen2 || architecture == Architecture::kQwen3;
}

// One config.json being read: its fields, where errors say they come from, and the defaults of its type.
class Parser {
 public:
  Parser(const Json& json, std::string_view origin)
      : json_(json), origin_(origin), defaults_(FindDefaults()) {}

  HuggingFaceConfig Parse() const {
    RefuseWhatIsNotHonoured();
    HuggingFaceConfig result;
    ReadSizes(result.model);
    result.model.ValidateSizes(origin_);
    ReadArithmetic(result.model);
    ReadSlidingWindow(result.model);
    ReadRope(result.model);
    result.model.Validate(origin_);
    result.biases = Biases();
    result.norm_offset = IsGemma(defaults_.architecture) ? 1.0f : 0.0f;
    return result;
  }

 private:
  size_t Size(const char* key) const { return JsonField<size_t>(json_, key, origin_); }
  size_t Size(const char* key, size_t if_missing) const {
    return if_missing == 0 ? Size(key) : JsonField<size_t>(json_, key, origin_, if_missing);
  }
  float Float(const char* key, double if_missing) const {
    return static_cast<float>(JsonField<double>(json_, key, origin_, if_missing));
  }
  bool Flag(const char* key, bool if_missing) const {
    return JsonField<bool>(json_, key, origin_, if_missing);
  }
  bool IsNull(const char* key) const { return json_.contains(key) && json_.at(key).is_null(); }

  const Defaults& FindDefaults() const {
    const auto type = JsonField<std::string>(json_, "model_type", origin_);
    for (const Defaults& defaults : kDefaults) {
      if (defaults.model_type == type) return defaults;
    }
    throw Error(origin_, ": model_type '", type,
                "' is not supported (llama, mistral, qwen2, qwen3, gemma2, gemma3_text, gemma3 are)");
  }

  void RefuseWhatIsNotHonoured() const {
    if (json_.contains("quantization_config") && !json_.at("quantization_config").is_null()) {
      const auto method =
          JsonField<std::string>(json_.at("quantization_config"), "quant_method", origin_, "unknown");
      throw Error(origin_, ": the weights are quantised (quant_method '", method,
                  "'), unquantised ones are needed");
    }
    if (Float("partial_rotary_factor", 1) != 1)
      throw Error(origin_, ": partial_rotary_factor other than 1 is not supported");
    if (Flag("use_bidirectional_attention", false)) {
      throw Error(origin_,
                  ": use_bidirectional_attention is not supported: it is no model that generates text");
    }
  }

  void ReadSizes(ModelConfig& config) const {
    config.architecture = defaults_.architecture;
    config.blocks = Size("num_hidden_layers");
    config.hidden = Size("hidden_size");
    config.feed_forward = Size("intermediate_size");
    config.vocabulary = Size("vocab_size", defaults_.vocabulary);
    config.context = Size("max_position_embeddings", defaults_.context);
    config.heads = Size("num_attention_heads", defaults_.heads);
    if (config.heads == 0) throw Error(origin_, ": num_attention_heads is 0");
    const bool as_heads = IsNull("num_key_value_heads") || defaults_.kv_heads == 0;
    config.kv_heads = JsonField<size_t>(json_, "num_key_value_heads", origin_,
                                        as_heads ? config.heads : defaults_.kv_heads);
    const bool divided = IsNull("head_dim") || defaults_.head_dim == 0;
    config.head_dim = JsonField<size_t>(json_, "head_dim", origin_,
                                        divided ? config.hidden / config.heads : defaults_.head_dim);
    config.tied_head = Flag("tie_word_embeddings", defaults_.tied_head);
  }

  void ReadArithmetic(ModelConfig& config) const {
    const bool gemma = IsGemma(defaults_.architecture);
    const bool gemma2 = defaults_.architecture == Architecture::kGemma2;
    config.norm_epsilon = Float("rms_norm_eps", 1e-6);
    config.activation = ReadActivation();
    config.qk_norm =
        defaults_.architecture == Architecture::kQwen3 || defaults_.architecture == Architecture::kGemma3;
    config.post_norms = gemma;
    config.embedding_scale = gemma ? std::sqrt(static_cast<float>(config.hidden)) : 1.0f;
    const float scaled_width =
        gemma ? Float("query_pre_attn_scalar", 256) : static_cast<float>(config.head_dim);
    config.attention_scale = 1 / std::sqrt(scaled_width);
    if (gemma) {
      config.attention_softcap = SoftCap("attn_logit_softcapping", gemma2 ? 50 : 0);
      config.logit_softcap = SoftCap("final_logit_softcapping", gemma2 ? 30 : 0);
    }
  }

  float SoftCap(const char* key, double if_missing) const {
    return IsNull(key) ? 0.0f : Float(key, if_missing);
  }

  Activation ReadActivation() const {
    const bool gemma = IsGemma(defaults_.architecture);
    const char* const key = gemma ? "hidden_activation" : "hidden_act";
    const auto name = JsonField<std::string>(json_, key, origin_, gemma ? "gelu_pytorch_tanh" : "silu");
    if (name == "silu") return Activation::kSilu;
    if (name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
    throw Error(origin_, ": ", key, " '", name, "' is not supported (silu and gelu_pytorch_tanh are)");
  }

  void ReadSlidingWindow(ModelConfig& config) const {
    const bool unused = IsQwen(defaults_.architecture) && !Flag("use_sliding_window", false);
    const bool has_window = defaults_.sliding_window != 0 && !unused && !IsNull("sliding_window");
    config.slides = has_window ? SlidingBlocks(config.blocks) : std::vector<bool>(config.blocks, false);
    const bool any = std::find(config.slides.begin(), config.slides.end(), true) != config.slides.end();
    config.sliding_window = any ? Size("sliding_window", defaults_.sliding_window) : 0;
  }

  std::vector<bool> SlidingBlocks(size_t blocks) const {
    if (json_.contains("layer_types") && !json_.at("layer_types").is_null()) return SlidingByLayerTypes();
    std::vector<bool> slides(blocks);
    for (size_t i = 0; i < slides.size(); ++i) {
      switch (defaults_.architecture) {
        case Architecture::kGemma2:
          slides[i] = i % 2 == 0;
          break;
        case Architecture::kGemma3:
          slides[i] = (i + 1) % Size("sliding_window_pattern", 6) != 0;
          break;
        case Architecture::kQwen2:
        case Architecture::kQwen3:
          slides[i] = i >= Size("max_window_layers", 28);
          break;
        case Architecture::kLlama:
        case Architecture::kMistral:
          slides[i] = true;
          break;
      }
    }
    return slides;
  }

  std::vector<bool> SlidingByLayerTypes() const {
    std::vector<bool> slides;
    for (const auto& type : JsonField<std::vector<std::string>>(json_, "layer_types", origin_)) {
      if (type != "sliding_attention" && type != "full_attention") {
        throw Error(origin_, ": layer type '", type,
                    "' is not supported (full_attention and sliding_attention are)");
      }
      slides.push_back(type == "sliding_attention");
    }
    return slides;
  }

  struct Rope {
    float theta;
    RopeScaling scaling;
  };

  void ReadRope(ModelConfig& config) const {
    const bool gemma3 = defaults_.architecture == Architecture::kGemma3;
    const Rope full = FullRope();
    config.rope_theta = full.theta;
    config.rope_scaling = full.scaling;
    config.rope_theta_sliding = gemma3 ? SlidingTheta() : full.theta;
  }

  Rope FullRope() const {
    if (const Json* rope = Object(json_, "rope_parameters")) {
      const Json* by_layer_type = Object(*rope, "full_attention");
      return ParseRope(by_layer_type != nullptr ? *by_layer_type : *rope,
                       Float("rope_theta", defaults_.rope_theta));
    }
    const float theta = Float("rope_theta", defaults_.rope_theta);
    const Json* const scaling = Object(json_, "rope_scaling");
    return scaling != nullptr ? ParseRope(*scaling, theta) : Rope{theta, {}};
  }

  // Gemma 3 has a rope of its own for blocks that slide; transformers never scaled it.
  float SlidingTheta() const {
    const float theta = Float("rope_local_base_freq", 1e4);
    const Json* const ropes = Object(json_, "rope_parameters");
    const Json* const sliding = ropes != nullptr ? Object(*ropes, "sliding_attention") : nullptr;
    if (sliding == nullptr) return theta;
    const Rope rope = ParseRope(*sliding, theta);
    if (rope.scaling.kind != RopeScaling::Kind::kNone) {
      throw Error(origin_, ": scaled rope in blocks with a sliding window is not supported");
    }
    return rope.theta;
  }

  const Json* Object(const Json& parent, const char* key) const {
    if (!parent.contains(key) || parent.at(key).is_null()) return nullptr;
    if (!parent.at(key).is_object()) throw Error(origin_, ": '", key, "' is not an object");
    return &parent.at(key);
  }

  Rope ParseRope(const Json& json, float theta) const {
    const auto old_name = JsonField<std::string>(json, "type", origin_, "default");
    const auto type = JsonField<std::string>(json, "rope_type", origin_, old_name);
    const auto number = [&](const char* key) {
      return static_cast<float>(JsonField<double>(json, key, origin_));
    };
    Rope rope{static_cast<float>(JsonField<double>(json, "rope_theta", origin_, theta)), {}};
    if (type == "default") return rope;
    rope.scaling.factor = number("factor");
    if (type == "linear") {
      rope.scaling.kind = RopeScaling::Kind::kLinear;
    } else if (type == "llama3") {
      rope.scaling.kind = RopeScaling::Kind::kLlama3;
      rope.scaling.low_frequency_factor = number("low_freq_factor");
      rope.scaling.high_frequency_factor = number("high_freq_factor");
      rope.scaling.original_context = JsonField<size_t>(json, "original_max_position_embeddings", origin_);
    } else {
      throw Error(origin_, ": rope type '", type, "' is not supported (default, linear and llama3 are)");
    }
    return rope;
  }

  DenseReader::BiasRules Biases() const {
    const bool qwen2 = defaults_.architecture == Architecture::kQwen2;  // has them without saying so
    const bool never = qwen2 || defaults_.architecture == Architecture::kMistral;
    const bool attention = !never && Flag("attention_bias", false);
    const bool feed_forward = defaults_.architecture == Architecture::kLlama && Flag("mlp_bias", false);
    DenseReader::BiasRules rules;
    for (const LinearKind kind : kLinearKinds) {
      const bool is_qkv = kind == LinearKind::kQ || kind == LinearKind::kK || kind == LinearKind::kV;
      const bool is_attention = is_qkv || kind == LinearKind::kO;
      const bool has_bias = is_attention ? attention || (qwen2 && is_qkv) : feed_forward;
      rules[static_cast<size_t>(kind)] = has_bias ? BiasRule::kNeeded : BiasRule::kNone;
    }
    return rules;
  }

  const Json& json_;
  std::string_view origin_;
  const Defaults& defaults_;
};

}  // namespace

HuggingFaceConfig ParseHuggingFaceConfig(const Json& config, std::string_view origin) {
  if (JsonField<std::string>(config, "model_type", origin) != "gemma3") return Parser(config, origin).Parse();
  // The text model of a model that also sees; its config may leave out its own type.
  Json text = JsonField<Json>(config, "text_config", origin);
  text["model_type"] = "gemma3_text";
  return Parser(text, origin).Parse();
}

}  // namespace addend
