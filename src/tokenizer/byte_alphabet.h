// The alphabet of byte-level BPE (GPT-2): every byte has a printable character, so that any bytes can be
// written as text in a vocabulary file. Printable Latin-1 bytes stand for themselves; the other 68 are
// U+0100, U+0101, ... in order (a space is "Ġ", a newline "Ċ").
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace addend {

std::string SpellBytes(std::string_view bytes);
// The bytes that `text` (valid UTF-8) spells; nothing when it has a character that stands for no byte.
std::optional<std::string> UnspellBytes(std::string_view text);

}  // namespace addend
