// Tokens that are found in a text before any other step: special tokens ("<|im_start|>") and whole words that
// were added to a vocabulary.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/normalizer.h"
#include "tokenizer/token.h"
#include "tokenizer/utf8.h"

namespace addend {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;
  bool normalized = false;  // is looked for in the normalised text
  bool special = false;
  // As it stands in the text that is searched, and in decoded text: `content`, normalised if `normalized`.
  // AddedTokens fills it in.
  std::string written;
};

// Finds the longest of a set of texts at each place of a text.
class TextSet {
 public:
  // Error for a text longer than kMaxLength: the time to search a text grows with the longest.
  static constexpr size_t kMaxLength = 1024;
  void Add(std::string text, size_t value, std::string_view origin);
  void Build(std::string_view origin);  // after the last Add; Error when two are the same

  bool empty() const { return entries_.empty(); }
  // The first place at or behind `at` where one starts, the longest of those. False when there is none.
  bool FindFrom(std::string_view text, size_t at, Span& match, size_t& value) const;
  // Does `text` start with one, or one with `text`?
  bool MayStartWithOne(std::string_view text) const;

 private:
  struct Entry {
    std::string text;
    size_t value;
  };
  struct Matches {
    const Entry* longest = nullptr;  // of those that `text` starts with
    bool longer = false;             // some start with all of `text`, and go on
  };
  Matches Match(std::string_view text) const;

  std::vector<Entry> entries_;  // sorted by text
  std::array<bool, 256> starts_{};
};

class AddedTokens {
 public:
  // A part of a text: an added token, or (token == nullptr) what lies between them.
  struct Section {
    Span span;
    const AddedToken* token = nullptr;
  };

  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer, std::string_view origin);

  // What is read as a token; see Tokenizer::EncodeOptions.
  struct Reading {
    bool parse_special = false;
    std::string_view plain_mark;
  };

  // Cuts a raw text at the tokens that are looked for there, or a normalised one at the others. The sections
  // are in order, none empty.
  void SplitRaw(std::string_view text, Reading reading, std::vector<Section>& sections) const;
  void SplitNormalized(std::string_view text, Reading reading, std::vector<Section>& sections) const;
  std::string MarkPlain(std::string_view text, std::string_view mark) const;  // see Tokenizer

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* Find(TokenId id) const;

 private:
  bool TouchesWord(std::string_view before, std::string_view after) const;
  void Split(const TextSet& set, std::string_view text, Reading reading,
             std::vector<Section>& sections) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<TokenId, size_t> index_;
  TextSet raw_;
  TextSet normalized_;
  TextSet control_;  // what MarkPlain marks, as it is spelled
  Regex word_character_{R"([\w\x{200C}\x{200D}])", "word character"};
};

}  // namespace addend
