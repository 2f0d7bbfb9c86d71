// The tokenizer.* keys of a GGUF file.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/tokenizer_state.h"

namespace addend {
namespace {

constexpr char kModel[] = "tokenizer.ggml.model";
constexpr char kPre[] = "tokenizer.ggml.pre";
constexpr char kTokens[] = "tokenizer.ggml.tokens";
constexpr char kTokenType[] = "tokenizer.ggml.token_type";
constexpr char kScores[] = "tokenizer.ggml.scores";
constexpr char kMerges[] = "tokenizer.ggml.merges";
constexpr char kBosId[] = "tokenizer.ggml.bos_token_id";
constexpr char kEosId[] = "tokenizer.ggml.eos_token_id";
constexpr char kUnknownId[] = "tokenizer.ggml.unknown_token_id";
constexpr char kAddBos[] = "tokenizer.ggml.add_bos_token";
constexpr char kAddEos[] = "tokenizer.ggml.add_eos_token";
constexpr char kAddSpacePrefix[] = "tokenizer.ggml.add_space_prefix";
constexpr char kChatTemplate[] = "tokenizer.chat_template";
constexpr char kHuggingFace[] = "tokenizer.huggingface.json";
constexpr char kEndIds[] =
    "tokenizer.addend.end_token_ids";  // ours: other programs know only one or two by key

constexpr char kSpaceMark[] = "\u2581";

enum TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

TokenId ReadId(const GgufMetadata& metadata, const char* key) {
  const uint64_t id = metadata.Integer(key);
  if (id > Vocabulary::kMaxId)
    throw Error(metadata.origin, ": key '", key, "' is ", id, ", which is no token");
  return static_cast<TokenId>(id);
}

std::optional<TokenId> ReadOptionalId(const GgufMetadata& metadata, const char* key) {
  return metadata.Has(key) ? std::optional(ReadId(metadata, key)) : std::nullopt;
}

template <typename T>
const std::vector<T>& ArrayOfTokens(const GgufMetadata& metadata, const char* key) {
  const std::vector<T>& values = metadata.Array<T>(key);
  const size_t needed = metadata.Array<std::string>(kTokens).size();
  if (values.size() != needed)
    throw Error(metadata.origin, ": key '", key, "' has ", values.size(), " values, ", needed, " are needed");
  return values;
}

// BOS and EOS are control tokens even where the file has no types.
std::vector<int32_t> ReadTypes(const GgufMetadata& metadata) {
  std::vector<int32_t> types(metadata.Array<std::string>(kTokens).size(), kNormal);
  if (metadata.Has(kTokenType)) types = ArrayOfTokens<int32_t>(metadata, kTokenType);
  for (const char* key : {kBosId, kEosId})
    if (const auto id = ReadOptionalId(metadata, key); id && *id < types.size()) types[*id] = kControl;
  return types;
}

// Fills in what both kinds of GGUF tokenizers have, and gives which tokens text may become.
std::vector<bool> ReadTokens(const GgufMetadata& metadata, TokenizerState& state) {
  const auto& texts = metadata.Array<std::string>(kTokens);
  const std::vector<int32_t> types = ReadTypes(metadata);
  TokenList tokens;
  std::vector<AddedToken> added;
  std::vector<bool> plain(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const bool special = types[i] == kControl || types[i] == kUnknown;
    if (texts[i].empty()) continue;  // a gap
    if (special || types[i] == kUserDefined) {
      added.push_back({.id = id, .content = texts[i], .special = special});
    } else {
      tokens.emplace_back(texts[i], id);
    }
    plain[i] = types[i] == kNormal || types[i] == kUserDefined;
  }
  state.vocabulary = JoinedVocabulary(std::move(tokens), added, metadata.origin);
  state.added_tokens = AddedTokens(std::move(added), state.normalizer, metadata.origin);
  plain.resize(state.vocabulary.size());
  return plain;
}

std::string PreTokenizerName(const GgufMetadata& metadata) {
  return metadata.StringOr(kPre, "default");
}

TokenizerState ByteLevelState(const GgufMetadata& metadata) {
  const std::string name = PreTokenizerName(metadata);
  const GgufPreTokenizer* named = FindGgufPreTokenizer(name);
  if (named == nullptr) throw Error(metadata.origin, ": ", kPre, " '", Shown(name), "' is not supported");
  TokenizerState state;
  if (named->nfc) state.normalizer = Normalizer({UnicodeForm::kNfc});
  state.pre_tokenizer = MakePreTokenizer(*named);
  const std::vector<bool> plain = ReadTokens(metadata, state);
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& line : metadata.Array<std::string>(kMerges))
    merges.push_back(SplitMerge(line, metadata.origin));
  state.bpe = Bpe(state.vocabulary, plain, {.byte_level = true, .ignore_merges = named->ignore_merges},
                  RulesFromMerges(state.vocabulary, merges, metadata.origin));
  state.decoder = Decoder({Decoder::ByteLevel{}});
  return state;
}

TokenizerState SentencePieceState(const GgufMetadata& metadata) {
  const bool adds_space = metadata.BoolOr(kAddSpacePrefix, true);
  TokenizerState state;
  std::vector<Normalizer::Step> steps;
  if (adds_space) steps.emplace_back(Normalizer::Prepend{" "});
  steps.emplace_back(Normalizer::Replace{Regex::Literal(" "), kSpaceMark});
  state.normalizer = Normalizer(std::move(steps));

  const std::vector<bool> plain = ReadTokens(metadata, state);
  const Bpe::Settings settings = {
      .byte_fallback = true, .unknown = ReadOptionalId(metadata, kUnknownId), .fuse_unknown = true};
  if (settings.unknown && !state.vocabulary.Has(*settings.unknown))
    throw Error(metadata.origin, ": ", kUnknownId, " is ", *settings.unknown, ", which is no token");
  const std::vector<float>& scores = ArrayOfTokens<float>(metadata, kScores);
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); }))
    throw Error(metadata.origin, ": key '", kScores, "' has NaN");
  state.bpe = Bpe(state.vocabulary, plain, settings, RulesFromScores(state.vocabulary, scores, plain));

  std::vector<Decoder::Step> decoding;
  decoding.emplace_back(Decoder::Replace{Regex::Literal(kSpaceMark), " "});
  decoding.emplace_back(Decoder::ByteFallback{});
  decoding.emplace_back(Decoder::Fuse{});
  if (adds_space) decoding.emplace_back(Decoder::Strip{" ", 1, 0});
  state.decoder = Decoder(std::move(decoding));
  return state;
}

// ---- Writing ----

int32_t TypeOf(const TokenizerState& state, TokenId id) {
  if (!state.vocabulary.Has(id)) return kUnused;
  if (id == state.bpe.settings().unknown) return kUnknown;
  if (const AddedToken* token = state.added_tokens.Find(id)) return token->special ? kControl : kUserDefined;
  const std::string& text = state.vocabulary.Text(id);
  const bool is_byte = state.bpe.settings().byte_fallback && text.size() == 6 && text.starts_with("<0x");
  return is_byte ? kByte : kNormal;
}

void WriteTokens(const TokenizerState& state, GgufMetadata& metadata) {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  for (TokenId id = 0; id < state.vocabulary.size(); ++id) {
    texts.push_back(state.vocabulary.Has(id) ? state.vocabulary.Text(id) : "[PAD" + std::to_string(id) + "]");
    types.push_back(TypeOf(state, id));
  }
  metadata.Set(kTokens, GgufArray(std::move(texts)));
  metadata.Set(kTokenType, GgufArray(std::move(types)));
}

bool NormalizesToNfc(const Normalizer& normalizer) {
  return normalizer.steps().size() == 1 && std::holds_alternative<UnicodeForm>(normalizer.steps()[0]) &&
         std::get<UnicodeForm>(normalizer.steps()[0]) == UnicodeForm::kNfc;
}

void WriteByteLevel(const TokenizerState& state, const TokenizerJson& json, GgufMetadata& metadata) {
  metadata.Set(kModel, std::string("gpt2"));
  const std::string_view name = GgufPreTokenizerName(state.pre_tokenizer, state.bpe.settings().ignore_merges,
                                                     NormalizesToNfc(state.normalizer));
  if (!name.empty()) metadata.Set(kPre, std::string(name));
  std::vector<std::string> merges;
  merges.reserve(json.merges.size());
  for (const auto& [left, right] : json.merges) merges.emplace_back(left).append(" ").append(right);
  metadata.Set(kMerges, GgufArray(std::move(merges)));
}

// SentencePiece merges by the score of what comes out: the earlier a token's first rule, the higher.
std::vector<float> ScoresFromMerges(const TokenizerState& state, const TokenizerJson& json) {
  std::vector<float> scores(state.vocabulary.size(), -static_cast<float>(json.merges.size()));
  for (size_t i = json.merges.size(); i-- > 0;)
    if (const auto id = state.vocabulary.Find(json.merges[i].first + json.merges[i].second))
      scores[*id] = -static_cast<float>(i);
  return scores;
}

void WriteSentencePiece(const TokenizerState& state, const TokenizerJson& json, GgufMetadata& metadata) {
  metadata.Set(kModel, std::string("llama"));
  metadata.Set(kPre, std::string("default"));
  metadata.Set(kScores, GgufArray(ScoresFromMerges(state, json)));
  const bool adds_space = state.normalizer.Apply("a") != "a";
  metadata.Set(kAddSpacePrefix, adds_space);
}

void WriteSettings(const TokenizerState& state, GgufMetadata& metadata) {
  const TokenizerSettings& settings = state.settings;
  const auto contains = [](const std::vector<TokenId>& ids, TokenId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  if (settings.bos) {
    metadata.Set(kBosId, *settings.bos);
    metadata.Set(kAddBos, contains(state.prefix, *settings.bos));
  }
  if (settings.eos) {
    metadata.Set(kEosId, *settings.eos);
    metadata.Set(kAddEos, contains(state.suffix, *settings.eos));
  }
  if (const auto& unknown = state.bpe.settings().unknown) metadata.Set(kUnknownId, *unknown);
  metadata.Set(kEndIds, GgufArray(state.end_tokens));
  if (!settings.chat_template.empty()) metadata.Set(kChatTemplate, settings.chat_template);
}

}  // namespace

TokenizerState StateFromGguf(const GgufMetadata& metadata) {
  if (metadata.Has(kHuggingFace)) {
    TokenizerState state =
        StateFromJson(metadata.String(kHuggingFace), metadata.origin + ": " + kHuggingFace);
    state.tokenizer_json.clear();  // gguf_keys has it
    return state;
  }
  const std::string& model = metadata.String(kModel);
  if (model == "gpt2") return ByteLevelState(metadata);
  if (model == "llama") return SentencePieceState(metadata);
  throw Error(metadata.origin, ": ", kModel, " '", Shown(model),
              "' is not supported, only gpt2 and llama are");
}

TokenizerSettings SettingsFromGguf(const GgufMetadata& metadata) {
  TokenizerSettings settings;
  settings.bos = ReadOptionalId(metadata, kBosId);
  settings.eos = ReadOptionalId(metadata, kEosId);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (const auto id = ReadOptionalId(metadata, key)) settings.end_tokens.push_back(*id);
  if (metadata.Has(kEndIds)) settings.end_tokens = metadata.Array<uint32_t>(kEndIds);

  if (metadata.Has(kAddBos)) settings.add_bos = metadata.Bool(kAddBos);
  if (metadata.Has(kAddEos)) settings.add_eos = metadata.Bool(kAddEos);
  if (!settings.add_bos && !metadata.Has(kHuggingFace)) {  // the defaults of llama.cpp
    const GgufPreTokenizer* named = FindGgufPreTokenizer(PreTokenizerName(metadata));
    settings.add_bos = metadata.String(kModel) == "llama" || (named != nullptr && named->add_bos);
  }
  settings.chat_template = metadata.StringOr(kChatTemplate, "");
  return settings;
}

GgufMetadata TokenizerKeys(const GgufMetadata& metadata) {
  GgufMetadata keys;
  keys.origin = metadata.origin;
  for (const auto& [key, value] : metadata.entries())
    if (key.starts_with("tokenizer.")) keys.Set(key, value);
  return keys;
}

GgufMetadata StateToGguf(const TokenizerState& state) {
  if (!state.gguf_keys.entries().empty()) return state.gguf_keys;
  const TokenizerJson json = ReadTokenizerJson(state.tokenizer_json, "tokenizer.json");
  GgufMetadata metadata;
  if (state.pre_tokenizer.byte_level()) {
    WriteByteLevel(state, json, metadata);
  } else {
    WriteSentencePiece(state, json, metadata);
  }
  WriteTokens(state, metadata);
  WriteSettings(state, metadata);
  metadata.Set(kHuggingFace, state.tokenizer_json);
  return metadata;
}

}  // namespace addend
