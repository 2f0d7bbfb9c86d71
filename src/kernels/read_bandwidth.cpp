#include "kernels/read_bandwidth.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/progress.h"
#include "kernels/prefetch.h"
#include "kernels/weight_memory.h"

namespace addend {
namespace {

constexpr size_t kPartWords = size_t{1} << 17;  // 1 MiB
constexpr size_t kParts = 512;
constexpr int kPasses = 5;

// Eight sums: the additions do not wait for each other.
uint64_t Sum(const uint64_t* words) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i < kPartWords; i += 8) {
    PrefetchAhead(words + i, 8 * sizeof *words);
    for (size_t k = 0; k < 8; ++k) sums[k] += words[i + k];
  }
  return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

}  // namespace

double ReadBandwidth(ThreadPool& pool) {
  WeightMemory memory;
  const std::shared_ptr<uint8_t[]> bytes = memory.Allocate(kParts * kPartWords * sizeof(uint64_t));
  auto* const words = reinterpret_cast<uint64_t*>(bytes.get());
  pool.For(kParts, [&](size_t part) { std::fill_n(words + part * kPartWords, kPartWords, part); });
  std::atomic<uint64_t> sum = 0;  // so that nothing is left out
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double start = WallSeconds();
    pool.For(kParts, [&](size_t part) { sum += Sum(words + part * kPartWords); });
    best = std::max(best, static_cast<double>(kParts * kPartWords * sizeof *words) / (WallSeconds() - start));
  }
  return best;
}

}  // namespace addend
