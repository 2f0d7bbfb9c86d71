// Patterns of tokenizer.json. Those files mean Oniguruma's Ruby syntax; here PCRE2 runs them, after a
// translation of what the two read differently (\s, \w, \v, \uXXXX, scripts). Syntax that PCRE2 has no equal
// for is an Error.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/utf8.h"

struct pcre2_real_code_8;

namespace addend {

// Immutable: any number of threads may use one, and copies share what is compiled.
class Regex {
 public:
  Regex(std::string_view pattern, std::string_view origin);  // Error that names `origin` and the pattern
  static Regex Literal(std::string text);                    // matches just this text, which is not empty
  // {"String": text} or {"Regex": pattern}
  static Regex FromJson(const Json& json, std::string_view origin);

  const std::string& pattern() const { return pattern_; }  // as it was given

  // All matches in order; they do not overlap. An empty match is only found where no match ended just before.
  // `text` must be valid UTF-8. Error when the pattern backtracks out of all proportion to the text.
  void FindAll(std::string_view text, std::vector<Span>& matches) const;
  std::string ReplaceAll(std::string_view text, std::string_view replacement) const;

 private:
  Regex() = default;
  void FindLiteral(std::string_view text, std::vector<Span>& matches) const;

  std::string pattern_;
  std::shared_ptr<const pcre2_real_code_8> code_;  // null for a literal
};

// `pattern` as PCRE2 must be given it to mean what Oniguruma means by it. Error (no origin) for what has no
// equal.
std::string PcreFromOniguruma(std::string_view pattern);

}  // namespace addend
