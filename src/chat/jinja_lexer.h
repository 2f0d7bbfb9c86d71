// Template text to tokens, as Jinja 3.1 does it with Hugging Face's settings: trim_blocks and lstrip_blocks
// on, one newline at the end of the template dropped.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace addend::jinja {

enum class TokenKind {
  kText,  // outside of tags, white space already stripped where the tags around it say so
  kOutputBegin,
  kOutputEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,  // escapes resolved
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t line = 1;
  std::string text;
  int64_t integer = 0;
  double real = 0;

  bool Is(TokenKind wanted, std::string_view wanted_text) const {
    return kind == wanted && text == wanted_text;
  }
  bool IsName(std::string_view name) const { return Is(TokenKind::kName, name); }
  bool IsOperator(std::string_view name) const { return Is(TokenKind::kOperator, name); }
};

// `source` must be valid UTF-8. Ends with a kEnd. Throws Error with the line.
std::vector<Token> Tokenize(std::string_view source);

// "line 3: ", the beginning of every message about a template.
std::string AtLine(size_t line);

}  // namespace addend::jinja
