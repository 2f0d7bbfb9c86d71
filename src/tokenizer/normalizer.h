// The normalizer of a tokenizer.json: how a text is rewritten before it is split into words.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "tokenizer/regex.h"

namespace addend {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Unicode normalisation; `text` must be valid UTF-8. Time n log n even for long runs of combining marks.
std::string NormalizeUnicode(std::string text, UnicodeForm form);

class Normalizer {
 public:
  struct Prepend {  // to a text that is not empty
    std::string text;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Strip {  // white space
    bool left;
    bool right;
  };
  using Step = std::variant<UnicodeForm, Prepend, Replace, Strip>;

  Normalizer() = default;
  explicit Normalizer(std::vector<Step> steps) : steps_(std::move(steps)) {}
  // NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Sequence, or null for none; Error for other types.
  static Normalizer FromJson(const Json& json, std::string_view origin);

  std::string Apply(std::string_view text) const;
  const std::vector<Step>& steps() const { return steps_; }

 private:
  std::vector<Step> steps_;
};

}  // namespace addend
