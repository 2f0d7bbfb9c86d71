// Memory for weights that are read from end to end for every token.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace addend {

// Places weights next to each other on huge pages (2 MiB, where the system gives them): a page of 4 KiB has
// to be looked up for every 64 cache lines, and ends what the CPU prefetches by itself. docs/kernels.md has
// what it brings. Safe to share among threads.
class WeightMemory {
 public:
  // Zeros, aligned to 64 bytes, that live as long as the result or a copy of it, whatever becomes of this.
  // They share chunks of 32 MiB, which go when nothing in them is left. Throws std::bad_alloc.
  std::shared_ptr<uint8_t[]> Allocate(size_t bytes);

 private:
  std::mutex mutex_;
  std::shared_ptr<uint8_t[]> chunk_;
  size_t size_ = 0, used_ = 0;  // of chunk_
};

}  // namespace addend
