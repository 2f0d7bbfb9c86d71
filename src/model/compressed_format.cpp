#include "model/compressed_format.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace addend::compressed_format {
namespace {

constexpr std::string_view kSlidesKey = "addend.attention.slides";

// The one list of keys, for the writer and the reader. `config` is const for the writer.
//   visit.Needed(key, field), visit.Optional(key, field, default)
template <typename Config, typename Visitor>
void VisitKeys(Config& config, Visitor&& visit) {
  visit.Needed("addend.source_architecture", config.architecture);
  visit.Needed("addend.block_count", config.blocks);
  visit.Needed("addend.embedding_length", config.hidden);
  visit.Needed("addend.feed_forward_length", config.feed_forward);
  visit.Needed("addend.vocab_size", config.vocabulary);
  visit.Needed("addend.context_length", config.context);
  visit.Needed("addend.attention.head_count", config.heads);
  visit.Needed("addend.attention.head_count_kv", config.kv_heads);
  visit.Needed("addend.attention.key_length", config.head_dim);
  visit.Needed("addend.attention.layer_norm_rms_epsilon", config.norm_epsilon);
  visit.Needed("addend.attention.scale", config.attention_scale);
  visit.Optional("addend.attention.qk_norm", config.qk_norm, false);
  visit.Optional("addend.attention.sliding_window", config.sliding_window, size_t{0});
  visit.Optional("addend.attention.softcap", config.attention_softcap, 0.0f);
  visit.Optional("addend.logit_softcap", config.logit_softcap, 0.0f);
  visit.Needed("addend.activation", config.activation);
  visit.Optional("addend.post_norms", config.post_norms, false);
  visit.Optional("addend.embedding_scale", config.embedding_scale, 1.0f);
  visit.Needed("addend.rope.freq_base", config.rope_theta);
  visit.Optional("addend.rope.freq_base_sliding", config.rope_theta_sliding, float{config.rope_theta});
  auto& scaling = config.rope_scaling;
  visit.Optional("addend.rope.scaling.type", scaling.kind, RopeScaling::Kind::kNone);
  if (scaling.kind == RopeScaling::Kind::kFactors)
    visit.Needed("addend.rope.scaling.factors", scaling.factors);
  if (scaling.kind == RopeScaling::Kind::kLinear || scaling.kind == RopeScaling::Kind::kLlama3) {
    visit.Needed("addend.rope.scaling.factor", scaling.factor);
  }
  if (scaling.kind == RopeScaling::Kind::kLlama3) {
    visit.Needed("addend.rope.scaling.low_freq_factor", scaling.low_frequency_factor);
    visit.Needed("addend.rope.scaling.high_freq_factor", scaling.high_frequency_factor);
    visit.Needed("addend.rope.scaling.original_context_length", scaling.original_context);
  }
}

GgufValue ToValue(size_t value) {
  return static_cast<uint32_t>(value);
}  // Validate keeps all below 2^32
GgufValue ToValue(float value) {
  return value;
}
GgufValue ToValue(bool value) {
  return value;
}
GgufValue ToValue(const std::vector<float>& values) {
  return GgufArray(values);
}
template <typename Enum>
  requires std::is_enum_v<Enum>
GgufValue ToValue(Enum value) {
  return std::string(Name(value));
}

struct KeyWriter {
  GgufMetadata& metadata;

  template <typename T>
  void Needed(const char* key, const T& field) {
    metadata.Set(key, ToValue(field));
  }
  template <typename T>
  void Optional(const char* key, const T& field, const T& fallback) {
    if (field != fallback) Needed(key, field);
  }
};

// Every enumerator from the first to the last one.
constexpr auto LastOf(Architecture) {
  return Architecture::kGemma3;
}
constexpr auto LastOf(Activation) {
  return Activation::kGeluTanh;
}
constexpr auto LastOf(RopeScaling::Kind) {
  return RopeScaling::Kind::kFactors;
}

struct KeyReader {
  const GgufMetadata& metadata;

  void Needed(const char* key, size_t& field) { field = metadata.Integer(key); }
  void Needed(const char* key, float& field) { field = static_cast<float>(metadata.Float(key)); }
  void Needed(const char* key, bool& field) { field = metadata.Bool(key); }
  void Needed(const char* key, std::vector<float>& field) { field = metadata.Array<float>(key); }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void Needed(const char* key, Enum& field) {
    const std::string& name = metadata.String(key);
    for (int i = 0; i <= static_cast<int>(LastOf(Enum())); ++i) {
      field = static_cast<Enum>(i);
      if (Name(field) == name) return;
    }
    throw Error(metadata.origin, ": key '", key, "' is '", name, "', which this version does not know");
  }
  template <typename T>
  void Optional(const char* key, T& field, const T& fallback) {
    field = fallback;
    if (metadata.Has(key)) Needed(key, field);
  }
};

// Collects the keys of any config.
struct KeyCollector {
  std::vector<std::string_view> keys = {kSlidesKey, kVersionKey, kChecksumsKey, kMetadataChecksumKey};

  template <typename T>
  void Needed(const char* key, const T&) {
    keys.push_back(key);
  }
  template <typename T>
  void Optional(const char* key, const T&, const T&) {
    keys.push_back(key);
  }
};

bool IsConfigKey(std::string_view key) {
  KeyCollector collector;
  VisitKeys(std::as_const(static_cast<const ModelConfig&>(ModelConfig())), collector);
  return key.starts_with("addend.rope.scaling.") ||
         std::find(collector.keys.begin(), collector.keys.end(), key) != collector.keys.end();
}

}  // namespace

std::string ChecksumEntry(std::string_view tensor_name, std::span<const std::byte> bytes) {
  return std::string(tensor_name) + " " + HashText(Hash64(bytes));
}

std::string MetadataChecksum(const GgufMetadata& metadata) {
  return HashText(Hash64(Serialised(metadata, kMetadataChecksumKey)));
}

void WriteConfig(const ModelConfig& config, GgufMetadata& metadata) {
  VisitKeys(config, KeyWriter{metadata});
  const std::vector<bool> all_or_none(config.blocks, config.sliding_window > 0);
  if (config.slides != all_or_none) metadata.Set(std::string(kSlidesKey), GgufArray(config.slides));
}

ModelConfig ReadConfig(const GgufMetadata& metadata) {
  ModelConfig config;
  VisitKeys(config, KeyReader{metadata});
  config.name = metadata.StringOr(kNameKey, "");
  config.ValidateSizes(metadata.origin);
  config.slides = std::vector<bool>(config.blocks, config.sliding_window > 0);
  if (metadata.Has(kSlidesKey)) config.slides = metadata.Array<bool>(kSlidesKey);
  config.Validate(metadata.origin);
  return config;
}

bool TravelsWithModel(std::string_view key) {
  constexpr std::array<std::string_view, 5> kOfTheFile = {
      kArchitectureKey, kNameKey, "general.alignment", "general.file_type", "general.quantization_version"};
  if (key.starts_with("tokenizer.")) return true;
  if (key.starts_with("general."))
    return std::find(kOfTheFile.begin(), kOfTheFile.end(), key) == kOfTheFile.end();
  return key.starts_with("addend.") && !IsConfigKey(key);
}

}  // namespace addend::compressed_format
