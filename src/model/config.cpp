#include "model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace addend {
namespace {

constexpr std::array<std::pair<Architecture, std::string_view>, 6> kArchitectureNames = {{
    {Architecture::kLlama, "llama"},
    {Architecture::kMistral, "mistral"},
    {Architecture::kQwen2, "qwen2"},
    {Architecture::kQwen3, "qwen3"},
    {Architecture::kGemma2, "gemma2"},
    {Architecture::kGemma3, "gemma3"},
}};

// The checks of one config; every message begins with the file's name.
class Checker {
 public:
  explicit Checker(std::string_view origin) : origin_(origin) {}

  void Count(const char* field, size_t value, size_t largest) const {
    if (value == 0 || value > largest) {
      throw Error(origin_, ": ", field, " is ", value, ", must be from 1 to ", largest);
    }
  }
  // `positive`: 0 is refused too.
  void Number(const char* field, float value, bool positive) const {
    if (!std::isfinite(value) || value < 0 || (positive && value == 0)) {
      throw Error(origin_, ": ", field, " is ", value, ", must be ", positive ? "positive" : "0 or positive");
    }
  }
  void That(bool holds, const char* problem) const {
    if (!holds) throw Error(origin_, ": ", problem);
  }

 private:
  std::string_view origin_;
};

// Far above any model there is, and far below where products of two of them could overflow.
constexpr size_t kMostBlocks = 10'000;
constexpr size_t kWidest = 1'000'000;
constexpr size_t kLargestVocabulary = 100'000'000;
constexpr size_t kLongestContext = 1'000'000'000;

void CheckRope(const ModelConfig& config, const Checker& check) {
  check.Number("rope theta", config.rope_theta, true);
  check.Number("rope theta of sliding blocks", config.rope_theta_sliding, true);
  const RopeScaling& scaling = config.rope_scaling;
  check.Number("rope scaling factor", scaling.factor, true);
  if (scaling.kind == RopeScaling::Kind::kLlama3) {
    check.Number("low frequency factor", scaling.low_frequency_factor, true);
    check.Number("high frequency factor", scaling.high_frequency_factor, true);
    check.That(scaling.high_frequency_factor > scaling.low_frequency_factor,
               "rope scaling: the high frequency factor is not above the low one");
    check.Count("original context of rope scaling", scaling.original_context, kLongestContext);
  }
  if (scaling.kind == RopeScaling::Kind::kFactors) {
    check.That(scaling.factors.size() == config.head_dim / 2,
               "rope scaling: the number of factors is not half the head width");
    for (const float factor : scaling.factors) check.Number("a rope frequency factor", factor, true);
  }
}

}  // namespace

std::string_view Name(Architecture architecture) {
  const auto* const entry = std::find_if(kArchitectureNames.begin(), kArchitectureNames.end(),
                                         [&](const auto& pair) { return pair.first == architecture; });
  return entry->second;
}

std::optional<Architecture> ArchitectureNamed(std::string_view name) {
  for (const auto& [architecture, known] : kArchitectureNames) {
    if (known == name) return architecture;
  }
  return std::nullopt;
}

std::string_view Name(Activation activation) {
  return activation == Activation::kSilu ? "silu" : "gelu_tanh";
}

std::string_view Name(RopeScaling::Kind kind) {
  switch (kind) {
    case RopeScaling::Kind::kNone:
      return "none";
    case RopeScaling::Kind::kLinear:
      return "linear";
    case RopeScaling::Kind::kLlama3:
      return "llama3";
    case RopeScaling::Kind::kFactors:
      return "factors";
  }
  throw Error("rope scaling: not a kind: ", static_cast<int>(kind));
}

void ModelConfig::ValidateSizes(std::string_view origin) const {
  const Checker check(origin);
  check.Count("number of blocks", blocks, kMostBlocks);
  check.Count("hidden width", hidden, kWidest);
  check.Count("number of heads", heads, kWidest);
  check.Count("number of key-value heads", kv_heads, kWidest);
  check.Count("head width", head_dim, kWidest);
  check.Count("attention width (heads x head width)", q_size(), kWidest);
  check.Count("feed-forward width", feed_forward, kWidest);
  check.Count("vocabulary size", vocabulary, kLargestVocabulary);
  check.Count("context length", context, kLongestContext);
  check.That(heads % kv_heads == 0, "the number of key-value heads does not divide the number of heads");
  check.That(head_dim % 2 == 0, "the head width is odd, but rope turns pairs");
}

void ModelConfig::Validate(std::string_view origin) const {
  ValidateSizes(origin);
  const Checker check(origin);
  check.Number("norm epsilon", norm_epsilon, true);
  check.That(norm_epsilon < 1, "norm epsilon is 1 or more");
  check.Number("embedding scale", embedding_scale, true);
  check.Number("attention scale", attention_scale, true);
  check.Number("attention softcap", attention_softcap, false);
  check.Number("logit softcap", logit_softcap, false);
  CheckRope(*this, check);
  check.That(slides.size() == blocks, "the list of sliding blocks does not have one entry for each block");
  const bool any_slides = std::find(slides.begin(), slides.end(), true) != slides.end();
  check.That(any_slides == (sliding_window > 0), "sliding blocks and a sliding window need each other");
  if (any_slides) check.Count("sliding window", sliding_window, kLongestContext);
}

}  // namespace addend
