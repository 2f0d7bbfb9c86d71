// The threads that training code runs on, and memory for intermediate values that is used again: after the
// first step of a loop over equal shapes nothing is allocated any more.
#pragma once
#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "base/threads.h"
#include "tensor/matrix.h"

namespace addend {

class Workspace;

// A matrix on loan from a Workspace, which must outlive it. Its values are unspecified at first.
class Borrowed {
 public:
  Borrowed(Borrowed&& other) noexcept
      : workspace_(std::exchange(other.workspace_, nullptr)), matrix_(std::move(other.matrix_)) {}
  Borrowed& operator=(Borrowed&&) = delete;
  ~Borrowed();

  Matrix& operator*() { return matrix_; }
  Matrix* operator->() { return &matrix_; }
  operator MatrixView() { return matrix_; }
  operator ConstMatrixView() const { return matrix_; }

 private:
  friend class Workspace;
  Borrowed(Workspace* workspace, Matrix matrix) : workspace_(workspace), matrix_(std::move(matrix)) {}
  Workspace* workspace_;
  Matrix matrix_;
};

class Workspace {
 public:
  explicit Workspace(ThreadPool& threads) : pool(threads) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Also from the bodies of parallel loops.
  Borrowed Borrow(size_t rows, size_t cols);

  // Calls body(first, count) for consecutive chunks of `chunk` rows (the last may have fewer), in parallel.
  // Chunks are the unit of every reduction, so the chunk size must not depend on the number of threads.
  template <typename Body>
  void ForChunks(size_t rows, size_t chunk, Body&& body) {
    pool.For((rows + chunk - 1) / chunk,
             [&](size_t i) { body(i * chunk, std::min(chunk, rows - i * chunk)); });
  }

  ThreadPool& pool;

 private:
  friend class Borrowed;
  void Return(Matrix matrix);
  std::mutex mutex_;
  std::vector<std::pair<size_t, Matrix>> free_;  // capacity in floats, and the matrix
};

}  // namespace addend
