// Text <-> token ids, equal to Hugging Face `tokenizers` on the same tokenizer.json.
//
// Supported: byte-level BPE (GPT-2, Llama 3, Qwen, DeepSeek, GPT-4o, SmolLM2) and SentencePiece-style BPE
// with byte fallback (Llama 2, Gemma), from a tokenizer.json or from the metadata of a GGUF file. Whatever a
// file asks for beyond that is an Error that names it, never an approximation.
//
// Text is UTF-8. Bytes that are not are read as U+FFFD, one for each maximal invalid part, as lossy
// conversion in Rust, Python and the web does. Encoding takes time n log n whatever the text is.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/gguf.h"
#include "tokenizer/token.h"

namespace addend {

struct TokenizerState;

// Immutable, so any number of threads may use one; copies share their state.
class Tokenizer {
 public:
  // The contents of tokenizer.json and of tokenizer_config.json (may be empty); `origin` stands in front of
  // errors. The configuration gives the chat template and the names of BOS and EOS.
  static Tokenizer FromJson(std::string_view tokenizer_json, std::string_view tokenizer_config_json,
                            std::string_view origin);
  // From the key "tokenizer.huggingface.json" where there is one, else from the tokenizer.ggml.* keys.
  static Tokenizer FromGguf(const GgufMetadata& metadata);

  struct EncodeOptions {
    // Read special tokens ("<|im_start|>") in the text as the tokens they name, as Hugging Face does unless
    // told otherwise. Without it they are plain text: right for anything that a user typed. (Added tokens
    // that are not special, like the "\n\n" of Gemma, are always read.)
    bool parse_special = false;
    // Put BOS and EOS where the model's own rule says so: TemplateProcessing, or
    // tokenizer.ggml.add_bos_token.
    bool add_special = false;
    // For a text that has parts of somebody else in it: no special token begins right behind this, and it is
    // no part of the text itself. MarkPlain puts it where it is needed. Empty: there is none.
    std::string_view plain_mark;
  };
  std::vector<TokenId> Encode(std::string_view text, EncodeOptions options) const;
  std::vector<TokenId> Encode(std::string_view text) const { return Encode(text, EncodeOptions{}); }

  // `text` with `mark` in front of every special token that is spelled out in it, and of an end that could
  // begin one; a text without them stays as it is. Tokens like <|...|> and <｜...｜> count as special here
  // whatever their file says: DeepSeek's <｜User｜> is not flagged.
  std::string MarkPlain(std::string_view text, std::string_view mark) const;

  // The text of the ids; ids without a token give nothing. `skip_special` leaves out special tokens.
  std::string Decode(std::span<const TokenId> ids, bool skip_special = false) const;
  // The bytes of one token inside a text, for streaming: may be a part of a UTF-8 character. Unlike Decode it
  // does not strip the space that SentencePiece puts in front of a text.
  std::string Piece(TokenId id) const;

  size_t vocabulary_size() const;  // the largest id + 1
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  // Generation stops at any of these: eos and the tokens that end a turn or a text ("<|im_end|>",
  // "<|eot_id|>", ...).
  const std::vector<TokenId>& end_tokens() const;
  bool IsSpecial(TokenId id) const;
  // By its text in the vocabulary: "<|im_end|>", "Ġthe".
  std::optional<TokenId> Find(std::string_view token_text) const;
  std::string Text(TokenId id) const;        // the reverse; empty for an id without a token
  const std::string& chat_template() const;  // Jinja; empty if there is none

  // The tokenizer.* keys to store with a model: FromGguf(ToGguf()) equals *this, and GGUF tools understand
  // the rest.
  GgufMetadata ToGguf() const;

 private:
  explicit Tokenizer(std::shared_ptr<const TokenizerState> state) : state_(std::move(state)) {}
  friend Tokenizer LoadTokenizer(const Path& model_path);

  std::shared_ptr<const TokenizerState> state_;
};

// From a Hugging Face folder (tokenizer.json, tokenizer_config.json; config.json and generation_config.json
// may name more end tokens) or from a GGUF file.
Tokenizer LoadTokenizer(const Path& model_path);

}  // namespace addend
