// The threads that training code runs on, and memory for intermediate values that is used again: after the
// first step of a loop over equal shapes nothing is allocated any more.
#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <utility>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

class Workspace;

// A matrix on loan from a Workspace, which must outlive it. Its values are unspecified at first. Rows are
// contiguous.
class Borrowed : public MatrixView {
 public:
  Borrowed(Borrowed&& other) noexcept
      : MatrixView(other),
        workspace_(std::exchange(other.workspace_, nullptr)),
        memory_(std::move(other.memory_)) {}
  Borrowed& operator=(Borrowed&&) = delete;
  ~Borrowed();

  std::span<float> values() const { return {data, rows * cols}; }
  void SetZero() const { std::fill_n(data, rows * cols, 0.0f); }

 private:
  friend class Workspace;
  Borrowed(Workspace* workspace, AlignedVector<float> memory, MatrixView view)
      : MatrixView(view), workspace_(workspace), memory_(std::move(memory)) {}
  Workspace* workspace_;
  AlignedVector<float> memory_;
};

class Workspace {
 public:
  explicit Workspace(ThreadPool& threads) : pool(threads) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Also from the bodies of parallel loops.
  Borrowed Borrow(size_t rows, size_t cols);

  // Calls body(first, count) in parallel for consecutive chunks of `chunk` rows (the last may have fewer).
  template <typename Body>
  void ForChunks(size_t rows, size_t chunk, Body&& body) {
    pool.For(Chunks(rows, chunk), [&](size_t i) { body(i * chunk, std::min(chunk, rows - i * chunk)); });
  }

  // The same for loops that also sum over rows: body(first, count, sums) adds to its own `sums`, which start
  // at zero; in the end those of all chunks are added to `totals`, in order, so that the result is the same
  // for any number of threads.
  template <typename Body>
  void SumChunks(size_t rows, size_t chunk, std::span<float> totals, Body&& body) {
    const Borrowed partial = Borrow(Chunks(rows, chunk), totals.size());
    partial.SetZero();
    ForChunks(rows, chunk,
              [&](size_t first, size_t count) { body(first, count, partial.Row(first / chunk)); });
    for (size_t i = 0; i < partial.rows; ++i) {
      const std::span<const float> sums = partial.Row(i);
      for (size_t c = 0; c < sums.size(); ++c) totals[c] += sums[c];
    }
  }

  ThreadPool& pool;

 private:
  friend class Borrowed;
  static size_t Chunks(size_t rows, size_t chunk) { return (rows + chunk - 1) / chunk; }
  void Return(AlignedVector<float> memory);

  std::mutex mutex_;
  std::multimap<size_t, AlignedVector<float>> free_;  // by size
};

// Rows of one chunk in loops over tokens. Chunks are the unit of every sum over tokens, so their size must
// not depend on the number of threads; this one keeps the values of a chunk in a core's own cache at common
// widths.
inline constexpr size_t kTokenChunk = 64;

}  // namespace addend
