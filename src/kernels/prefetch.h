// Asking for weights before they are needed.
#pragma once
#include <cstddef>

namespace addend {

// How far ahead. Weights are read once and in order, but a CPU's own prefetching stops at each page of 4096
// bytes, and the kernels compute too much between two loads to hide what that costs. From memory this makes
// sign products of one token 1.3 to 2.5 times as fast (docs/kernels.md).
inline constexpr size_t kPrefetchBytes = 8192;

// Twice as far, for loops that keep `table_bytes` in the first cache, where both have room in it: between two
// small matrices nothing is asked for, and the memory would wait.
inline constexpr size_t PrefetchDistance(size_t table_bytes) {
  constexpr size_t kRoom = size_t{1} << 15;
  return table_bytes + 2 * kPrefetchBytes <= kRoom ? 2 * kPrefetchBytes : kPrefetchBytes;
}

// May point past the end of what there is: that is harmless.
inline void Prefetch(const void* memory, size_t bytes) {
  const char* const first = static_cast<const char*>(memory);
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(first + i);
}

// For a loop that is about to read `bytes` at `weights`.
inline void PrefetchAhead(const void* weights, size_t bytes, size_t distance = kPrefetchBytes) {
  Prefetch(static_cast<const char*>(weights) + distance, bytes);
}

}  // namespace addend
