#include "kernels/weight_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/threads.h"

namespace addend {
namespace {

TEST(WeightMemory, IsZeroAlignedAndApart) {
  WeightMemory memory;
  constexpr size_t kSizes[] = {1, 64, 100, size_t{3} << 20, 0, size_t{40} << 20, 7};
  std::vector<std::shared_ptr<uint8_t[]>> parts;
  for (const size_t size : kSizes) {
    const auto& part = parts.emplace_back(memory.Allocate(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(part.get()) % 64, 0u) << size;
    EXPECT_TRUE(std::all_of(part.get(), part.get() + size, [](uint8_t byte) { return byte == 0; })) << size;
    std::fill_n(part.get(), size, static_cast<uint8_t>(parts.size()));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(std::count(parts[i].get(), parts[i].get() + kSizes[i], i + 1), kSizes[i]);
  }
}

TEST(WeightMemory, OutlivesItsSource) {
  std::shared_ptr<uint8_t[]> part;
  {
    WeightMemory memory;
    part = memory.Allocate(10);
    memory.Allocate(10)[0] = 3;
  }
  part[9] = 5;
  EXPECT_EQ(part[9], 5);
}

TEST(WeightMemory, TooMuchIsAnError) {
  WeightMemory memory;
  EXPECT_THROW(memory.Allocate(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(memory.Allocate(SIZE_MAX / 4), std::bad_alloc);
  EXPECT_NE(memory.Allocate(5), nullptr);
}

TEST(WeightMemory, ServesSeveralThreads) {
  WeightMemory memory;
  ThreadPool pool(4);
  std::vector<std::shared_ptr<uint8_t[]>> parts(1000);
  pool.For(parts.size(), [&](size_t i) {
    parts[i] = memory.Allocate(100);
    std::fill_n(parts[i].get(), 100, static_cast<uint8_t>(i));
  });
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(std::count(parts[i].get(), parts[i].get() + 100, static_cast<uint8_t>(i)), 100);
  }
}

}  // namespace
}  // namespace addend
