// UTF-8 as the tokenizer needs it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace addend {

// A part of a text: bytes [begin, end).
struct Span {
  size_t begin = 0;
  size_t end = 0;
  std::string_view In(std::string_view text) const { return text.substr(begin, end - begin); }
};

bool IsValidUtf8(std::string_view bytes);
// Each maximal part that is not UTF-8 becomes one U+FFFD (Unicode 15, section 3.9, "U+FFFD Substitution of
// Maximal Subparts"), as in Rust's from_utf8_lossy and Python's errors="replace".
std::string ReplaceInvalidUtf8(std::string_view bytes);

// The code point at text[at]; moves `at` behind it. `text` must be valid UTF-8 and `at` the start of a
// character.
char32_t NextCodePoint(std::string_view text, size_t& at);
// Where the last character of `text`, which is not empty, starts.
size_t LastCharacter(std::string_view text);
void AppendUtf8(char32_t code_point, std::string& text);
std::string Utf8(char32_t code_point);

bool IsWhiteSpace(char32_t code_point);  // Unicode's White_Space

// The text without white space at the chosen ends.
std::string_view TrimWhiteSpace(std::string_view text, bool left, bool right);

}  // namespace addend
