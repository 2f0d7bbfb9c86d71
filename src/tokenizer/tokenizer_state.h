// What a Tokenizer is made of, and how it is made from each kind of file. Only for the files of this folder.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/gguf.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/token.h"
#include "tokenizer/vocabulary.h"

namespace addend {

// What stands beside the tokenizer proper: in tokenizer_config.json or in single GGUF keys.
struct TokenizerSettings {
  std::optional<TokenId> bos, eos;
  std::optional<bool> add_bos, add_eos;  // beats the file's own template
  std::vector<TokenId> end_tokens;       // besides eos and those known by name
  std::string chat_template;
};

// Encoding runs down this list; decoding is the last.
struct TokenizerState {
  Vocabulary vocabulary;  // all tokens, added ones too
  Normalizer normalizer;
  AddedTokens added_tokens;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  std::vector<TokenId> prefix, suffix;  // for EncodeOptions::add_special
  Decoder decoder;

  TokenizerSettings settings;
  std::vector<TokenId> end_tokens;

  // A token as the decoder sees it; the id must be in the vocabulary.
  const std::string& DecodedText(TokenId id) const {
    const AddedToken* added = added_tokens.Find(id);
    return added != nullptr ? added->written : vocabulary.Text(id);
  }

  std::string tokenizer_json;  // where it came from: this text, or
  GgufMetadata gguf_keys;      // the tokenizer.* keys of a file
};

// Everything but the settings.
TokenizerState StateFromJson(std::string_view tokenizer_json, std::string_view origin);
TokenizerState StateFromGguf(const GgufMetadata& metadata);
// Completes a state; Error when a setting's id is not in the vocabulary.
void ApplySettings(TokenizerSettings settings, std::string_view origin, TokenizerState& state);

// tokenizer_config.json (may be null).
TokenizerSettings SettingsFromConfig(const Json& config, const Vocabulary& vocabulary,
                                     std::string_view origin);
// config.json or generation_config.json: bos_token_id, eos_token_id (one or a list). Fills what is not set.
void AddConfigIds(const Json& config, std::string_view origin, TokenizerSettings& settings);
TokenizerSettings SettingsFromGguf(const GgufMetadata& metadata);

GgufMetadata TokenizerKeys(const GgufMetadata& metadata);  // its tokenizer.* keys
GgufMetadata StateToGguf(const TokenizerState& state);

using TokenList = std::vector<std::pair<std::string, TokenId>>;

// Shared by the makers: all tokens; those of the model that text may become, which the special ones are not.
Vocabulary JoinedVocabulary(TokenList model_tokens, const std::vector<AddedToken>& added,
                            std::string_view origin);
std::vector<bool> PlainTokens(const TokenList& model_tokens, const std::vector<AddedToken>& added);
std::vector<MergeRule> RulesFromMerges(const Vocabulary& vocabulary,
                                       const std::vector<std::pair<std::string, std::string>>& merges,
                                       std::string_view origin);

}  // namespace addend
