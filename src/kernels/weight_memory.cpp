#include "kernels/weight_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace addend {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kChunk = 16 * kHugePage;

size_t RoundUp(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// From a page of its own on, aligned to huge ones. What is never touched takes no memory.
std::shared_ptr<uint8_t[]> NewChunk(size_t size) {
  const size_t reserved = size + kHugePage;
  void* const start = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  auto* const aligned = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<uintptr_t>(start), kHugePage));
#if defined(MADV_HUGEPAGE)
  madvise(aligned, size, MADV_HUGEPAGE);  // advice: a system without them is as good
#endif
  return {aligned, [start, reserved](uint8_t*) { munmap(start, reserved); }};
}

}  // namespace

std::shared_ptr<uint8_t[]> WeightMemory::Allocate(size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  bytes = RoundUp(bytes, kLine);
  const std::lock_guard lock(mutex_);
  if (chunk_ == nullptr || bytes > size_ - used_) {
    size_ = std::max(kChunk, RoundUp(bytes, kHugePage));
    chunk_ = NewChunk(size_);
    used_ = 0;
  }
  uint8_t* const memory = chunk_.get() + used_;
  used_ += bytes;
  return {chunk_, memory};
}

}  // namespace addend
