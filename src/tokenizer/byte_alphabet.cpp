#include "tokenizer/byte_alphabet.h"

#include <array>

#include "tokenizer/utf8.h"

namespace addend {
namespace {

constexpr bool StandsForItself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr std::array<char32_t, 256> kCharacters = [] {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) characters[byte] = StandsForItself(byte) ? byte : next++;
  return characters;
}();

constexpr char32_t kEnd = 0x100 + 68;  // behind the last character

constexpr std::array<int16_t, kEnd> kBytes = [] {
  std::array<int16_t, kEnd> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (int16_t byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = byte;
  return bytes;
}();

}  // namespace

std::string SpellBytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) AppendUtf8(kCharacters[static_cast<uint8_t>(byte)], text);
  return text;
}

std::optional<std::string> UnspellBytes(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const char32_t character = NextCodePoint(text, at);
    if (character >= kEnd || kBytes[character] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[character]);
  }
  return bytes;
}

}  // namespace addend
