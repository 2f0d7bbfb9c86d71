#include "model/export_tokenizer.h"

#include <optional>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/gguf_pre_tokenizers.h"

namespace addend {
namespace {

constexpr std::string_view kWholeKey = "tokenizer.huggingface.json";
constexpr std::string_view kModelKey = "tokenizer.ggml.model";
constexpr std::string_view kPreKey = "tokenizer.ggml.pre";
constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";
constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::string_view kBosKey = "tokenizer.ggml.bos_token_id", kEosKey = "tokenizer.ggml.eos_token_id";
constexpr std::string_view kAddBosKey = "tokenizer.ggml.add_bos_token";
constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

std::optional<std::string> TokenText(const GgufMetadata& metadata, std::string_view id_key) {
  if (!metadata.Has(id_key) || !metadata.Has(kTokensKey)) return std::nullopt;
  const auto& tokens = metadata.Array<std::string>(kTokensKey);
  const uint64_t id = metadata.Integer(id_key);
  if (id >= tokens.size())
    throw Error(metadata.origin, ": key '", id_key, "' is ", id, ", which is no token");
  return tokens[id];
}

const GgufPreTokenizer& PreTokenizerOf(const GgufMetadata& metadata) {
  const std::string name = metadata.StringOr(kPreKey, "default");
  const GgufPreTokenizer* found = FindGgufPreTokenizer(name);
  if (found == nullptr) throw Error(metadata.origin, ": ", kPreKey, " '", name, "' is not supported");
  return *found;
}

// Tokens that are matched in text as a whole: GGUF's types 2 (unknown), 3 (control) and 4 (user defined).
Json AddedTokens(const GgufMetadata& metadata) {
  Json added = Json::array();
  if (!metadata.Has(kTypesKey)) return added;
  const auto& tokens = metadata.Array<std::string>(kTokensKey);
  const auto& types = metadata.Array<int32_t>(kTypesKey);
  for (size_t id = 0; id < std::min(tokens.size(), types.size()); ++id) {
    if (types[id] < 2 || types[id] > 4) continue;
    added.push_back({{"id", id},
                     {"content", tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", types[id] != 4}});
  }
  return added;
}

Json PreTokenizerJson(const GgufPreTokenizer& pre_tokenizer) {
  Json steps = Json::array();
  for (const std::string_view pattern : pre_tokenizer.patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(
      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

// Puts BOS in front of each text, where the model wants that.
Json PostProcessorJson(const GgufMetadata& metadata, const GgufPreTokenizer& pre_tokenizer) {
  const std::optional<std::string> bos = TokenText(metadata, kBosKey);
  if (!bos || !metadata.BoolOr(kAddBosKey, pre_tokenizer.add_bos)) return nullptr;
  const auto special = Json{{"SpecialToken", {{"id", *bos}, {"type_id", 0}}}};
  const auto text = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const Json about_bos = {{"id", *bos}, {"ids", {metadata.Integer(kBosKey)}}, {"tokens", {*bos}}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({special, text("A", 0)})},
          {"pair", Json::array({special, text("A", 0), text("B", 1)})},
          {"special_tokens", {{*bos, about_bos}}}};
}

Json BpeJson(const GgufMetadata& metadata, const GgufPreTokenizer& pre_tokenizer) {
  Json vocabulary = Json::object();
  auto& entries = vocabulary.get_ref<Json::object_t&>();  // operator[] would look through all for each
  const auto& tokens = metadata.Array<std::string>(kTokensKey);
  for (size_t id = 0; id < tokens.size(); ++id) entries.push_back({tokens[id], id});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", pre_tokenizer.ignore_merges},
          {"vocab", std::move(vocabulary)},
          {"merges", metadata.Array<std::string>(kMergesKey)}};
}

Json ByteLevelTokenizerJson(const GgufMetadata& metadata) {
  const GgufPreTokenizer& pre_tokenizer = PreTokenizerOf(metadata);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", AddedTokens(metadata)},
          {"normalizer", pre_tokenizer.nfc ? Json{{"type", "NFC"}} : Json(nullptr)},
          {"pre_tokenizer", PreTokenizerJson(pre_tokenizer)},
          {"post_processor", PostProcessorJson(metadata, pre_tokenizer)},
          {"decoder",
           {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
          {"model", BpeJson(metadata, pre_tokenizer)}};
}

// As text; a token or template that is not UTF-8 cannot be one.
std::string Written(const Json& json, const GgufMetadata& metadata) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    throw Error(metadata.origin, ": the tokenizer holds text that is not UTF-8");
  }
}

}  // namespace

std::string TokenizerJsonText(const GgufMetadata& metadata) {
  if (metadata.Has(kWholeKey)) return metadata.String(kWholeKey);
  if (metadata.StringOr(kModelKey, "") != "gpt2") return "";
  return Written(ByteLevelTokenizerJson(metadata), metadata);
}

std::string TokenizerConfigText(const GgufMetadata& metadata) {
  Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (const auto bos = TokenText(metadata, kBosKey)) json["bos_token"] = *bos;
  if (const auto eos = TokenText(metadata, kEosKey)) json["eos_token"] = *eos;
  if (metadata.Has(kTemplateKey)) json["chat_template"] = metadata.String(kTemplateKey);
  return Written(json, metadata);
}

}  // namespace addend
