#include "base/hash.h"

#include <xxhash.h>

#include <cinttypes>
#include <cstdio>

namespace addend {

uint64_t Hash64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

uint64_t Hash64(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::string HashText(uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

}  // namespace addend
