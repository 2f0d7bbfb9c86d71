// Shape and arithmetic of a decoder-only transformer of the Llama family: everything that the forward pass
// needs to know and that is not a weight. The loaders (model/load*.cpp) translate config.json and GGUF keys
// into it; differences between architectures are values here, never `if (architecture == ...)` in the
// arithmetic.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace addend {

enum class Architecture { kLlama, kMistral, kQwen2, kQwen3, kGemma2, kGemma3 };
// "llama", "mistral", "qwen2", ... Where a file calls it otherwise (GGUF has Mistral under "llama",
// config.json has "gemma3_text"), the loaders and exporters translate.
std::string_view Name(Architecture architecture);
std::optional<Architecture> ArchitectureNamed(std::string_view name);  // nothing when unknown

enum class Activation { kSilu, kGeluTanh };
std::string_view Name(Activation activation);  // "silu", "gelu_tanh"

// How the rotary frequencies differ from theta^(-2 i / head_dim): each is divided by a factor of its own.
struct RopeScaling {
  enum class Kind {
    kNone,     // 1
    kLinear,   // `factor`
    kLlama3,   // 1 for short waves, `factor` for waves longer than the original context, smoothly from one to
               // the other
    kFactors,  // `factors`, as GGUF files list them in place of the parameters of llama3
  };
  Kind kind = Kind::kNone;
  float factor = 1;                                           // kLinear, kLlama3
  float low_frequency_factor = 1, high_frequency_factor = 4;  // kLlama3
  size_t original_context = 8192;                             // kLlama3
  std::vector<float> factors;                                 // kFactors: head_dim / 2
  bool operator==(const RopeScaling&) const = default;
};
std::string_view Name(RopeScaling::Kind kind);  // "none", "linear", "llama3", "factors"

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  std::string name;  // for people

  size_t blocks = 0;
  size_t hidden = 0;        // width of the residual stream
  size_t heads = 0;         // query heads
  size_t kv_heads = 0;      // key and value heads; divides heads
  size_t head_dim = 0;      // need not be hidden / heads
  size_t feed_forward = 0;  // width between gate/up and down
  size_t vocabulary = 0;
  size_t context = 0;  // longest sequence that it was trained for

  float norm_epsilon = 1e-5f;
  Activation activation = Activation::kSilu;
  bool tied_head = true;    // logits by the embedding matrix
  bool qk_norm = false;     // RMSNorm over each head of q and k, before rope (Qwen3, Gemma 3)
  bool post_norms = false;  // RMSNorm also after attention and feed-forward, before the residual sum (Gemma)

  float embedding_scale = 1;    // Gemma: sqrt(hidden)
  float attention_scale = 0;    // of q.k; usually 1 / sqrt(head_dim)
  float attention_softcap = 0;  // s <- cap * tanh(s / cap); 0 = none
  float logit_softcap = 0;

  // Rotary embedding on pairs (i, i + head_dim / 2), the Hugging Face order. Interleaved sources are permuted
  // at load.
  float rope_theta = 10000;
  RopeScaling rope_scaling;
  // Of blocks that slide. Where it differs (Gemma 3), they are not scaled either.
  float rope_theta_sliding = 10000;

  size_t sliding_window = 0;  // a token sees itself and the window - 1 tokens before; 0 = all
  std::vector<bool> slides;   // for each block: is its attention limited to the window?

  size_t q_size() const { return heads * head_dim; }
  size_t kv_size() const { return kv_heads * head_dim; }

  bool operator==(const ModelConfig&) const = default;

  // Throws Error naming `origin` and the field when the values do not belong together or are absurd (0, or
  // beyond any real model).
  void Validate(std::string_view origin) const;
  // The part of it that is about sizes: for loaders, before they make lists as long as a file says.
  void ValidateSizes(std::string_view origin) const;
};

}  // namespace addend
