// The pre-tokenizer of a tokenizer.json: how a normalised text is split into words. No token reaches over two
// words.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "tokenizer/regex.h"

namespace addend {

// What ByteLevel splits by unless told not to.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class PreTokenizer {
 public:
  // What becomes of the matches of a split's pattern, and of the text between them.
  enum class Behavior { kIsolated, kRemoved, kContiguous, kMergedWithPrevious, kMergedWithNext };

  struct Split {
    Regex pattern;
    Behavior behavior = Behavior::kIsolated;
    bool invert = false;  // the text between the matches counts as the matches
  };
  // Puts `mark` in front of words that do not start with it.
  struct Prefix {
    enum class Scheme { kAlways, kFirst, kNever };
    std::string mark;
    bool replaces_spaces = false;  // and `mark` stands for every space
    Scheme scheme = Scheme::kAlways;
  };
  using Step = std::variant<Split, Prefix>;

  // The words of a text.
  struct Words {
    std::string text;         // as the steps rewrote it
    std::vector<Span> spans;  // in order, none empty
  };

  PreTokenizer() = default;  // the whole text is one word
  PreTokenizer(std::vector<Step> steps, bool byte_level)
      : steps_(std::move(steps)), byte_level_(byte_level) {}
  // Split, ByteLevel (last), Digits, Metaspace, Punctuation, WhitespaceSplit, Sequence, or null; Error for
  // other types.
  static PreTokenizer FromJson(const Json& json, std::string_view origin);

  // `at_start`: `text` stands at the very start of what is encoded.
  void Apply(std::string text, bool at_start, Words& words) const;

  bool byte_level() const { return byte_level_; }  // the model sees bytes, not characters
  const std::vector<Step>& steps() const { return steps_; }

 private:
  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace addend
