#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace addend {
namespace {

// Long enough to bridge the serial code between two loops of one layer, short enough to be unnoticed when
// idle.
constexpr int kSpins = 5000;

thread_local bool inside_loop = false;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `value` differs from `old`: spins first, then sleeps in a futex.
template <typename T>
T WaitWhile(std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    const T now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    Pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::atomic<uint32_t> generation{0};  // bumped to call sleeping workers to a new loop
  std::atomic<bool> stop{false};

  // The current loop. A thread claims an item by taking one from `unclaimed`; the other fields are written
  // before `unclaimed` becomes positive and stay as they are until every claimed item is done, so whoever
  // holds an item may read them. The caller never waits for a worker that claimed nothing: one that wakes
  // late costs no time.
  size_t count = 0;
  void (*call)(void*, size_t) = nullptr;
  void* context = nullptr;
  std::atomic<int64_t> unclaimed{0};
  std::atomic<uint32_t> done{0};
  std::atomic<bool> failed{false};
  std::mutex error_mutex;
  std::exception_ptr error;

  void Work() {
    inside_loop = true;
    for (int64_t left; (left = unclaimed.fetch_sub(1, std::memory_order_acq_rel)) > 0;) {
      const size_t items = count;
      if (!failed.load(std::memory_order_relaxed)) RunItem(items - static_cast<size_t>(left));
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == items) done.notify_one();
    }
    inside_loop = false;
  }

  void RunItem(size_t i) {
    try {
      call(context, i);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }

  void WorkerLoop() {
    uint32_t seen = 0;
    while (!stop.load(std::memory_order_acquire)) {
      Work();
      seen = WaitWhile(generation, seen);
    }
  }
};

ThreadPool::ThreadPool(size_t threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = AvailableCpus();
  for (size_t i = 1; i < threads; ++i) {
    state_->workers.emplace_back([state = state_.get()] { state->WorkerLoop(); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->generation.fetch_add(1, std::memory_order_release);
  state_->generation.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

size_t ThreadPool::size() const {
  return state_->workers.size() + 1;
}

void ThreadPool::Run(size_t count, void (*call)(void* context, size_t i), void* context) {
  if (count <= 1 || state_->workers.empty() || inside_loop) {
    for (size_t i = 0; i < count; ++i) call(context, i);
    return;
  }
  State& state = *state_;
  state.count = count;
  state.call = call;
  state.context = context;
  state.done.store(0, std::memory_order_relaxed);
  state.failed.store(false, std::memory_order_relaxed);
  state.unclaimed.store(static_cast<int64_t>(count), std::memory_order_release);
  state.generation.fetch_add(1, std::memory_order_release);
  state.generation.notify_all();
  state.Work();
  for (uint32_t finished; (finished = state.done.load(std::memory_order_acquire)) != count;) {
    WaitWhile(state.done, finished);
  }
  if (state.failed) std::rethrow_exception(std::exchange(state.error, nullptr));
}

size_t AvailableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace addend
