// tokenizer.json and the configuration files beside it.
#include "base/error.h"
#include "tokenizer/sequence.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/tokenizer_state.h"

namespace addend {
namespace {

void CheckIsObjectOrMissing(const Json& config, std::string_view origin) {
  if (!config.is_object() && !config.is_null()) throw Error(origin, ": its JSON is no object");
}

const Json& Part(const Json& parts, const char* key) {
  static const Json kNull;
  return parts.is_object() && parts.contains(key) ? parts.at(key) : kNull;
}

// One id or a list of them.
std::vector<TokenId> ReadIds(const Json& json, const char* key, std::string_view origin) {
  if (!json.is_array()) return ReadIds(Json::array({json}), key, origin);
  std::vector<TokenId> ids;
  for (const Json& id : json) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > Vocabulary::kMaxId)
      throw Error(origin, ": '", key, "' has the id ", id.dump().substr(0, 80));
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

std::vector<AddedToken> ReadAddedTokens(const Json& list, std::string_view origin) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) throw Error(origin, ": 'added_tokens' is not a list");
  for (const Json& json : list) {
    const bool special = JsonField<bool>(json, "special", origin, false);
    tokens.push_back({JsonField<TokenId>(json, "id", origin), JsonField<std::string>(json, "content", origin),
                      JsonField<bool>(json, "single_word", origin, false),
                      JsonField<bool>(json, "lstrip", origin, false),
                      JsonField<bool>(json, "rstrip", origin, false),
                      JsonField<bool>(json, "normalized", origin, !special), special});
  }
  return tokens;
}

// What this program cannot do, and no model of the families it is for asks for.
void RefuseUnsupported(const Json& model, std::string_view origin) {
  const auto type = JsonField<std::string>(model, "type", origin, "BPE");  // older files leave it out
  if (type != "BPE") throw Error(origin, ": a model of type '", type, "' is not supported, only BPE is");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!JsonField<std::string>(model, key, origin, "").empty())
      throw Error(origin, ": '", key, "' is not supported");
  if (JsonField<double>(model, "dropout", origin, 0.0) != 0)
    throw Error(origin, ": 'dropout' is not supported");
}

Bpe::Settings ReadModelSettings(const Json& model, bool byte_level, const Vocabulary& vocabulary,
                                std::string_view origin) {
  Bpe::Settings settings;
  settings.byte_level = byte_level;
  settings.byte_fallback = JsonField<bool>(model, "byte_fallback", origin, false);
  settings.ignore_merges = JsonField<bool>(model, "ignore_merges", origin, false);
  settings.fuse_unknown = JsonField<bool>(model, "fuse_unk", origin, false);
  if (byte_level && settings.byte_fallback)
    throw Error(origin, ": byte_fallback with ByteLevel is not supported");
  const auto unknown = JsonField<std::string>(model, "unk_token", origin, "");
  if (!unknown.empty()) {
    settings.unknown = vocabulary.Find(unknown);
    if (!settings.unknown) throw Error(origin, ": unk_token '", Shown(unknown), "' is no token");
  }
  return settings;
}

// TemplateProcessing's "single": what stands before and behind a text.
void ReadTemplate(const Json& json, std::string_view origin, TokenizerState& state) {
  const auto pieces = JsonField<Json>(json, "single", origin);
  const Json& special = Part(json, "special_tokens");
  std::vector<TokenId>* affix = &state.prefix;
  for (const Json& piece : pieces) {
    if (piece.is_object() && piece.contains("Sequence")) {
      affix = &state.suffix;
      continue;
    }
    const auto name = JsonField<std::string>(JsonField<Json>(piece, "SpecialToken", origin), "id", origin);
    const auto token = JsonField<Json>(special, name.c_str(), origin);
    for (const TokenId id : ReadIds(Part(token, "ids"), "ids", origin)) {
      if (!state.vocabulary.Has(id))
        throw Error(origin, ": the template needs id ", id, ", which is no token");
      affix->push_back(id);
    }
  }
}

void ReadPostProcessor(const Json& json, std::string_view origin, TokenizerState& state) {
  ForEachInSequence(json, "processors", origin, [&](const Json& step, const std::string& type) {
    if (type == "TemplateProcessing") return ReadTemplate(step, origin, state);
    if (type == "ByteLevel") return;  // only corrects offsets into the text, which we do not give
    throw Error(origin, ": a post-processor of type '", type, "' is not supported");
  });
}

// "bos_token": "<s>" or {"content": "<s>"}.
std::optional<TokenId> NamedToken(const Json& config, const char* key, const Vocabulary& vocabulary,
                                  std::string_view origin) {
  const Json& value = Part(config, key);
  if (value.is_null()) return std::nullopt;
  const auto text = value.is_object() ? JsonField<std::string>(value, "content", origin)
                                      : JsonField<std::string>(config, key, origin);
  const auto id = vocabulary.Find(text);
  if (!id) throw Error(origin, ": ", key, " '", Shown(text), "' is no token");
  return id;
}

// One template, or a list of named ones of which "default" is for chats.
std::string ReadChatTemplate(const Json& value, std::string_view origin) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  for (const Json& entry : value)
    if (JsonField<std::string>(entry, "name", origin) == "default")
      return JsonField<std::string>(entry, "template", origin);
  return "";
}

std::optional<bool> OptionalBool(const Json& config, const char* key, std::string_view origin) {
  if (Part(config, key).is_null()) return std::nullopt;
  return JsonField<bool>(config, key, origin);
}

}  // namespace

TokenizerState StateFromJson(std::string_view tokenizer_json, std::string_view origin) {
  TokenizerJson json = ReadTokenizerJson(tokenizer_json, origin);
  if (!json.parts.is_object()) throw Error(origin, ": is not a tokenizer.json: its JSON is no object");
  const auto model = JsonField<Json>(json.parts, "model", origin);
  RefuseUnsupported(model, origin);
  if (json.vocabulary.empty()) throw Error(origin, ": 'model' has no tokens in 'vocab'");
  if (!json.has_merges) throw Error(origin, ": 'model' has no list 'merges'");

  TokenizerState state;
  const std::vector<AddedToken> added = ReadAddedTokens(Part(json.parts, "added_tokens"), origin);
  std::vector<bool> plain = PlainTokens(json.vocabulary, added);
  state.vocabulary = JoinedVocabulary(std::move(json.vocabulary), added, origin);
  plain.resize(state.vocabulary.size());
  state.normalizer = Normalizer::FromJson(Part(json.parts, "normalizer"), origin);
  state.added_tokens = AddedTokens(added, state.normalizer, origin);
  state.pre_tokenizer = PreTokenizer::FromJson(Part(json.parts, "pre_tokenizer"), origin);
  state.bpe = Bpe(state.vocabulary, plain,
                  ReadModelSettings(model, state.pre_tokenizer.byte_level(), state.vocabulary, origin),
                  RulesFromMerges(state.vocabulary, json.merges, origin));
  ReadPostProcessor(Part(json.parts, "post_processor"), origin, state);
  state.decoder = Decoder::FromJson(Part(json.parts, "decoder"), origin);
  state.tokenizer_json = tokenizer_json;
  return state;
}

TokenizerSettings SettingsFromConfig(const Json& config, const Vocabulary& vocabulary,
                                     std::string_view origin) {
  CheckIsObjectOrMissing(config, origin);
  TokenizerSettings settings;
  settings.bos = NamedToken(config, "bos_token", vocabulary, origin);
  settings.eos = NamedToken(config, "eos_token", vocabulary, origin);
  settings.add_bos = OptionalBool(config, "add_bos_token", origin);
  settings.add_eos = OptionalBool(config, "add_eos_token", origin);
  settings.chat_template = ReadChatTemplate(Part(config, "chat_template"), origin);
  return settings;
}

void AddConfigIds(const Json& config, std::string_view origin, TokenizerSettings& settings) {
  CheckIsObjectOrMissing(config, origin);
  if (!settings.bos && !Part(config, "bos_token_id").is_null())
    settings.bos = JsonField<TokenId>(config, "bos_token_id", origin);
  if (Part(config, "eos_token_id").is_null()) return;
  const std::vector<TokenId> ids = ReadIds(Part(config, "eos_token_id"), "eos_token_id", origin);
  if (!settings.eos && !ids.empty()) settings.eos = ids.front();
  settings.end_tokens.insert(settings.end_tokens.end(), ids.begin(), ids.end());
}

}  // namespace addend
