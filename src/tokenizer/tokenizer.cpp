#include "tokenizer/tokenizer.h"

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/tokenizer_state.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

void RemoveAll(std::string_view part, std::string& text) {
  if (part.empty()) return;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
}

// Runs one text through the steps of a tokenizer.
class Encoder {
 public:
  Encoder(const TokenizerState& state, AddedTokens::Reading reading) : state_(state), reading_(reading) {}

  void Encode(std::string_view text, std::vector<TokenId>& ids) {
    std::vector<AddedTokens::Section> sections;
    state_.added_tokens.SplitRaw(text, reading_, sections);
    for (const auto& [span, token] : sections) {
      if (token != nullptr) {
        ids.push_back(token->id);
      } else {
        EncodeNormalized(state_.normalizer.Apply(span.In(text)), span.begin == 0, ids);
      }
    }
  }

 private:
  void EncodeNormalized(const std::string& text, bool at_start, std::vector<TokenId>& ids) {
    state_.added_tokens.SplitNormalized(text, reading_, normalized_sections_);
    for (const auto& [span, token] : normalized_sections_) {
      if (token != nullptr) {
        ids.push_back(token->id);
      } else {
        EncodeWords(std::string(span.In(text)), at_start && span.begin == 0, ids);
      }
    }
  }

  void EncodeWords(std::string text, bool at_start, std::vector<TokenId>& ids) {
    RemoveAll(reading_.plain_mark, text);
    state_.pre_tokenizer.Apply(std::move(text), at_start, words_);
    for (const Span& word : words_.spans) state_.bpe.Encode(word.In(words_.text), scratch_, ids);
  }

  const TokenizerState& state_;
  AddedTokens::Reading reading_;
  std::vector<AddedTokens::Section> normalized_sections_;
  PreTokenizer::Words words_;
  Bpe::Scratch scratch_;
};

Json ReadOptionalJson(const Path& path) {
  return std::filesystem::exists(path) ? ParseJson(ReadTextFile(path), path.string()) : Json();
}

TokenizerState LoadFolder(const Path& folder) {
  const Path file = folder / "tokenizer.json";
  TokenizerState state = StateFromJson(ReadTextFile(file), file.string());
  const Path config = folder / "tokenizer_config.json";
  TokenizerSettings settings =
      SettingsFromConfig(ReadOptionalJson(config), state.vocabulary, config.string());
  for (const char* name : {"generation_config.json", "config.json"})
    AddConfigIds(ReadOptionalJson(folder / name), (folder / name).string(), settings);
  // Newer folders keep the template in a file of its own.
  const Path chat_template = folder / "chat_template.jinja";
  if (std::filesystem::exists(chat_template)) settings.chat_template = ReadTextFile(chat_template);
  ApplySettings(std::move(settings), folder.string(), state);
  return state;
}

}  // namespace

Tokenizer Tokenizer::FromJson(std::string_view tokenizer_json, std::string_view tokenizer_config_json,
                              std::string_view origin) {
  auto state = std::make_shared<TokenizerState>(StateFromJson(tokenizer_json, origin));
  const std::string config_origin = std::string(origin) + " (tokenizer_config.json)";
  const Json config =
      tokenizer_config_json.empty() ? Json() : ParseJson(tokenizer_config_json, config_origin);
  ApplySettings(SettingsFromConfig(config, state->vocabulary, config_origin), origin, *state);
  return Tokenizer(std::move(state));
}

Tokenizer Tokenizer::FromGguf(const GgufMetadata& metadata) {
  auto state = std::make_shared<TokenizerState>(StateFromGguf(metadata));
  state->gguf_keys = TokenizerKeys(metadata);
  ApplySettings(SettingsFromGguf(metadata), metadata.origin, *state);
  return Tokenizer(std::move(state));
}

Tokenizer LoadTokenizer(const Path& model_path) {
  if (!std::filesystem::is_directory(model_path)) return Tokenizer::FromGguf(GgufFile(model_path).metadata());
  return Tokenizer(std::make_shared<TokenizerState>(LoadFolder(model_path)));
}

std::vector<TokenId> Tokenizer::Encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  if (options.add_special) ids = state_->prefix;
  Encoder encoder(*state_, {options.parse_special, options.plain_mark});
  if (IsValidUtf8(text)) {
    encoder.Encode(text, ids);
  } else {
    encoder.Encode(ReplaceInvalidUtf8(text), ids);
  }
  if (options.add_special) ids.insert(ids.end(), state_->suffix.begin(), state_->suffix.end());
  return ids;
}

std::string Tokenizer::MarkPlain(std::string_view text, std::string_view mark) const {
  return state_->added_tokens.MarkPlain(text, mark);
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool skip_special) const {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const TokenId id : ids)
    if (state_->vocabulary.Has(id) && !(skip_special && IsSpecial(id)))
      texts.push_back(state_->DecodedText(id));
  return state_->decoder.Decode(std::move(texts));
}

std::string Tokenizer::Piece(TokenId id) const {
  return state_->vocabulary.Has(id) ? state_->decoder.Piece(state_->DecodedText(id)) : "";
}

size_t Tokenizer::vocabulary_size() const {
  return state_->vocabulary.size();
}
std::optional<TokenId> Tokenizer::bos() const {
  return state_->settings.bos;
}
std::optional<TokenId> Tokenizer::eos() const {
  return state_->settings.eos;
}
const std::vector<TokenId>& Tokenizer::end_tokens() const {
  return state_->end_tokens;
}

bool Tokenizer::IsSpecial(TokenId id) const {
  const AddedToken* token = state_->added_tokens.Find(id);
  return token != nullptr && token->special;
}

std::optional<TokenId> Tokenizer::Find(std::string_view token_text) const {
  return state_->vocabulary.Find(token_text);
}
std::string Tokenizer::Text(TokenId id) const {
  return state_->vocabulary.Has(id) ? state_->vocabulary.Text(id) : "";
}
const std::string& Tokenizer::chat_template() const {
  return state_->settings.chat_template;
}
GgufMetadata Tokenizer::ToGguf() const {
  return StateToGguf(*state_);
}

}  // namespace addend
