#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "model/gguf_architecture.h"
#include "model/gguf_rows.h"
#include "model/load_tensors.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

using gguf_architecture::kRopeFactors;

// The hyper-parameters of a GGUF file, "<architecture>.<name>", with llama.cpp's defaults.
class GgufConfigReader {
 public:
  GgufConfigReader(const GgufMetadata& metadata, const TensorSource& source)
      : metadata_(metadata), source_(source), prefix_(metadata.String("general.architecture")) {}

  ModelConfig Read() const {
    ModelConfig config;
    config.architecture = ReadArchitecture();
    config.name = metadata_.StringOr("general.name", "");
    RefuseWhatIsNotHonoured();
    ReadSizes(config);
    config.ValidateSizes(metadata_.origin);
    ReadArithmetic(config);
    ReadSlidingWindow(config);
    ReadRope(config);
    config.Validate(metadata_.origin);
    return config;
  }

 private:
  std::string Key(std::string_view name) const { return prefix_ + "." + std::string(name); }
  size_t Size(std::string_view name) const { return metadata_.Integer(Key(name)); }
  size_t Size(std::string_view name, size_t fallback) const {
    return metadata_.IntegerOr(Key(name), fallback);
  }
  float Float(std::string_view name, double fallback) const {
    return static_cast<float>(metadata_.FloatOr(Key(name), fallback));
  }

  Architecture ReadArchitecture() const {
    const std::optional<Architecture> known = ArchitectureNamed(prefix_);
    // Files of Mistral models say "llama", which is what they are without the window.
    const bool has_window = metadata_.Has(Key("attention.sliding_window"));
    if (known == Architecture::kLlama && has_window) return Architecture::kMistral;
    if (known && *known != Architecture::kMistral) return *known;
    throw Error(metadata_.origin, ": architecture '", prefix_,
                "' is not supported (llama, qwen2, qwen3, gemma2, gemma3 and addend are)");
  }

  void RefuseWhatIsNotHonoured() const {
    if (Size("expert_count", 0) != 0) {
      throw Error(metadata_.origin, ": mixtures of experts are not supported");
    }
  }

  void ReadSizes(ModelConfig& config) const {
    config.blocks = Size("block_count");
    config.hidden = Size("embedding_length");
    config.feed_forward = Size("feed_forward_length");
    config.context = Size("context_length");
    config.heads = Size("attention.head_count");
    if (config.heads == 0) throw Error(metadata_.origin, ": ", Key("attention.head_count"), " is 0");
    config.kv_heads = Size("attention.head_count_kv", config.heads);
    config.head_dim = Size("attention.key_length", config.hidden / config.heads);
    RequireHeadWidth("attention.value_length", config.head_dim);
    RequireHeadWidth("rope.dimension_count", config.head_dim);
    const SourceTensor* embedding = source_.Find(std::string(GgufNames().embedding) + ".weight");
    const size_t rows = embedding != nullptr && embedding->shape.size() == 2 ? embedding->shape[0] : 0;
    config.vocabulary = Size("vocab_size", rows);
    config.tied_head = source_.Find(std::string(GgufNames().head) + ".weight") == nullptr;
  }

  void RequireHeadWidth(std::string_view name, size_t head_dim) const {
    if (Size(name, head_dim) != head_dim) {
      throw Error(metadata_.origin, ": ", Key(name), " is ", Size(name), ", only the head width (", head_dim,
                  ") is supported");
    }
  }

  void ReadArithmetic(ModelConfig& config) const {
    const bool gemma2 = config.architecture == Architecture::kGemma2;
    const bool gemma3 = config.architecture == Architecture::kGemma3;
    config.norm_epsilon = static_cast<float>(metadata_.Float(Key("attention.layer_norm_rms_epsilon")));
    config.activation = gemma2 || gemma3 ? Activation::kGeluTanh : Activation::kSilu;
    config.qk_norm = gemma3 || config.architecture == Architecture::kQwen3;
    config.post_norms = gemma2 || gemma3;
    config.embedding_scale = gemma2 || gemma3 ? std::sqrt(static_cast<float>(config.hidden)) : 1.0f;
    config.attention_scale = Float("attention.scale", gguf_architecture::AttentionScale(config));
    config.attention_softcap = gemma2 ? Float("attn_logit_softcapping", 50) : 0.0f;
    config.logit_softcap =
        gemma2 ? Float("final_logit_softcapping", 30) : Float("final_logit_softcapping", 0);
  }

  void ReadSlidingWindow(ModelConfig& config) const {
    const size_t window =
        Size("attention.sliding_window", config.architecture == Architecture::kGemma2 ? 4096 : 0);
    config.slides.assign(config.blocks, false);
    if (window > 0) SetSlidingBlocks(config);
    const bool any = std::find(config.slides.begin(), config.slides.end(), true) != config.slides.end();
    config.sliding_window = any ? window : 0;
  }

  // Every period-th block sees everything, unless the file lists the blocks.
  void SetSlidingBlocks(ModelConfig& config) const {
    const std::string key = Key("attention.sliding_window_pattern");
    const GgufValue* const value = metadata_.Find(key);
    if (value != nullptr && std::holds_alternative<GgufArray>(*value)) {
      config.slides = metadata_.Array<bool>(key);
      return;
    }
    const size_t period = metadata_.IntegerOr(key, gguf_architecture::SlidingPeriod(config.architecture));
    config.slides = gguf_architecture::SlidingBlocks(config.blocks, period);
  }

  void ReadRope(ModelConfig& config) const {
    const bool gemma3 = config.architecture == Architecture::kGemma3;
    config.rope_theta = Float("rope.freq_base", gemma3 ? 1e6 : 1e4);
    config.rope_theta_sliding = gemma3 ? Float("rope.freq_base_swa", 1e4) : config.rope_theta;
    config.rope_scaling = ReadRopeScaling();
  }

  RopeScaling ReadRopeScaling() const {
    RopeScaling scaling;
    const std::string type = metadata_.StringOr(Key("rope.scaling.type"), "none");
    if (type == "linear") {
      scaling.kind = RopeScaling::Kind::kLinear;
      scaling.factor = static_cast<float>(metadata_.Float(Key("rope.scaling.factor")));
    } else if (type != "none") {
      throw Error(metadata_.origin, ": rope scaling '", type, "' is not supported (none and linear are)");
    }
    return scaling;
  }

  const GgufMetadata& metadata_;
  const TensorSource& source_;
  std::string prefix_;
};

// The parameters of llama3 that give the config's list of factors, if there are any such: low and high factor
// as in every published model, and an original context that is a power of two (8192 in those models).
std::optional<RopeScaling> AsLlama3(const ModelConfig& config) {
  constexpr size_t kExponents = 21, kUsual = 13;  // the usual one is tried first
  const std::vector<float>& factors = config.rope_scaling.factors;
  const auto close = [](float a, float b) { return std::abs(a - b) <= 1e-5f * b; };  // computed in float32
  ModelConfig guess = config;
  guess.rope_scaling = {.kind = RopeScaling::Kind::kLlama3,
                        .factor = *std::max_element(factors.begin(), factors.end()),
                        .low_frequency_factor = 1,
                        .high_frequency_factor = 4};
  for (size_t i = 0; i < kExponents; ++i) {
    guess.rope_scaling.original_context = size_t{1} << (kUsual + i) % kExponents;
    if (std::ranges::equal(factors, gguf_architecture::RopeFactors(guess), close)) return guess.rope_scaling;
  }
  return std::nullopt;
}

// Llama 3's scaling is in GGUF a tensor of what each frequency is divided by. Its parameters are recognised,
// because config.json can only say parameters.
void ReadRopeFactors(TensorSource& source, ModelConfig& config) {
  if (source.Find(kRopeFactors) == nullptr) return;
  if (config.rope_scaling.kind != RopeScaling::Kind::kNone) {
    throw Error(source.origin(), ": both '", kRopeFactors, "' and another scaling of rope");
  }
  config.rope_scaling.kind = RopeScaling::Kind::kFactors;
  config.rope_scaling.factors = source.TakeVector(kRopeFactors, config.head_dim / 2);
  config.Validate(source.origin());
  config.rope_scaling = AsLlama3(config).value_or(config.rope_scaling);
}

void HalveHeads(Linear& linear, size_t head_dim) {
  const auto& rows = std::get<StoredMatrix>(linear.weight);
  linear.weight = InHalves(rows, head_dim);
  if (!linear.bias.empty()) linear.bias = InHalves(linear.bias, head_dim);
}

}  // namespace

Model LoadDenseGguf(std::shared_ptr<const GgufFile> file) {
  TensorSource source = TensorSource::From(*file);
  ModelConfig config = GgufConfigReader(file->metadata(), source).Read();
  ReadRopeFactors(source, config);
  Model model = EmptyModel(std::move(config));

  DenseReader::BiasRules biases;
  biases.fill(BiasRule::kIfPresent);
  VisitTensors(model, GgufNames(), DenseReader(model.config, source, biases, /*norm_offset=*/0));
  source.RefuseUntaken();

  if (gguf_architecture::HasInterleavedHeads(model.config.architecture)) {
    for (Block& block : model.blocks) {
      HalveHeads(block[LinearKind::kQ], model.config.head_dim);
      HalveHeads(block[LinearKind::kK], model.config.head_dim);
    }
  }
  model.metadata = ModelMetadata(file->metadata());
  model.storage = {std::move(file)};
  return model;
}

}  // namespace addend
