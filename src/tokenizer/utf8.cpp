#include "tokenizer/utf8.h"

#include <algorithm>
#include <cstdint>

namespace addend {
namespace {

struct Sequence {
  size_t length;  // of the character, or of the part that one U+FFFD replaces
  bool valid;
};

// Table 3-7 of the Unicode standard: only the second byte's range depends on the first.
Sequence ReadSequence(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t needed = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < needed; ++i) {
    if (i >= bytes.size()) return {i, false};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    if (byte < low || byte > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {needed, true};
}

size_t ValidPrefix(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Sequence next = ReadSequence(bytes.substr(at));
    if (!next.valid) break;
    at += next.length;
  }
  return at;
}

}  // namespace

bool IsValidUtf8(std::string_view bytes) {
  return ValidPrefix(bytes) == bytes.size();
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t valid = ValidPrefix(bytes);
    text += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    text += "\xEF\xBF\xBD";
    bytes.remove_prefix(ReadSequence(bytes).length);
  }
  return text;
}

char32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code_point = length == 1 ? lead : lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) code_point = code_point << 6 | (byte(i) & 0x3F);
  at += length;
  return code_point;
}

size_t LastCharacter(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

void AppendUtf8(char32_t code_point, std::string& text) {
  const auto continuation = [&](int shift) { return static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | code_point >> 6);
    text += continuation(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
    text += continuation(6);
    text += continuation(0);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    text += continuation(12);
    text += continuation(6);
    text += continuation(0);
  }
}

std::string Utf8(char32_t code_point) {
  std::string text;
  AppendUtf8(code_point, text);
  return text;
}

bool IsWhiteSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view TrimWhiteSpace(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    size_t length = 0;
    if (!IsWhiteSpace(NextCodePoint(text, length))) break;
    text.remove_prefix(length);
  }
  while (right && !text.empty()) {
    const size_t start = LastCharacter(text);
    size_t at = start;
    if (!IsWhiteSpace(NextCodePoint(text, at))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

}  // namespace addend
