#include "base/threads.h"

#include <sched.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace addend {
namespace {

// Long enough to bridge the serial code between two loops of one layer, short enough to be unnoticed when idle.
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
  std::atomic<uint32_t> generation{0};  // bumped to start a loop
  std::atomic<uint32_t> running{0};     // workers that have not finished the current loop
  std::atomic<bool> stop{false};

  // The current loop; written before `generation` is bumped.
  size_t count = 0;
  void (*call)(void*, size_t) = nullptr;
  void* context = nullptr;
  std::atomic<size_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  void Work() {
    inside_loop = true;
    try {
      for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) call(context, i);
    } catch (...) {
      next.store(count, std::memory_order_relaxed);  // the others stop after their current item
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
    inside_loop = false;
  }

  void WorkerLoop() {
    uint32_t seen = 0;
    while (true) {
      seen = WaitWhile(generation, seen);
      if (stop.load(std::memory_order_relaxed)) return;
      Work();
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
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

size_t ThreadPool::size() const { return state_->workers.size() + 1; }

void ThreadPool::Run(size_t count, void (*call)(void*, size_t), void* context) {
  if (count <= 1 || state_->workers.empty() || inside_loop) {
    for (size_t i = 0; i < count; ++i) call(context, i);
    return;
  }
  State& state = *state_;
  state.count = count;
  state.call = call;
  state.context = context;
  state.error = nullptr;
  state.next.store(0, std::memory_order_relaxed);
  state.running.store(static_cast<uint32_t>(state.workers.size()), std::memory_order_relaxed);
  state.generation.fetch_add(1, std::memory_order_release);
  state.generation.notify_all();
  state.Work();
  for (uint32_t left; (left = state.running.load(std::memory_order_acquire)) != 0;) WaitWhile(state.running, left);
  if (state.error) std::rethrow_exception(state.error);
}

size_t AvailableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace addend
