// XXH3 checksums: for tensors on disk, work-folder settings and random streams. Not for security.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace addend {

uint64_t Hash64(std::span<const std::byte> bytes);
uint64_t Hash64(std::string_view text);
std::string HashText(uint64_t hash);  // 16 lower-case hexadecimal digits

}  // namespace addend
