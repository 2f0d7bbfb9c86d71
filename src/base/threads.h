// A thread pool for short parallel loops (tens of microseconds upward).
// Workers spin briefly after a loop, then sleep: a hand-off costs about a microsecond in a busy phase, and an
// idle pool burns nothing. OpenMP and condition variables cost tens of microseconds with millisecond tails
// here.
#pragma once
#include <cstddef>
#include <memory>
#include <type_traits>

namespace addend {

class ThreadPool {
 public:
  // `threads` counts the caller: ThreadPool(1) starts none and runs every loop in place. 0 = one for each
  // available CPU.
  explicit ThreadPool(size_t threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t size() const;

  // Calls body(i) once for every i in [0, count), in any order, on all threads; returns when all are done.
  // Results must not depend on the order: that keeps every output the same for any number of threads.
  // If bodies throw, the rest is still run or skipped, and one of the exceptions is rethrown. At most 2^32 -
  // 1 items. A loop started inside a body runs in place on that thread. One loop at a time: not for
  // concurrent callers.
  template <typename Body>
  void For(size_t count, Body&& body) {
    Run(
        count, [](void* context, size_t i) { (*static_cast<std::remove_reference_t<Body>*>(context))(i); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  void Run(size_t count, void (*call)(void* context, size_t i), void* context);
  struct State;
  std::unique_ptr<State> state_;
};

size_t AvailableCpus();  // those that this process may run on

}  // namespace addend
