#include "generate/batch_engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace addend {

// Between the engine's thread, which puts parts in, and the thread that takes them out.
struct BatchAnswers::Group : AnswerSink {
  explicit Group(std::vector<BatchRequest> all) : requests(std::move(all)), size(requests.size()) {}

  void Put(AnswerPart part) override {
    const std::lock_guard lock(mutex);
    parts.push_back(std::move(part));
    changed.notify_one();
  }
  bool Wanted() const override { return wanted.load(std::memory_order_relaxed); }

  // The engine's:
  std::vector<BatchRequest> requests;
  const size_t size;
  size_t started = 0;

  std::atomic<bool> wanted{true};
  std::mutex mutex;  // of the two below
  std::condition_variable changed;
  std::deque<AnswerPart> parts;
};

BatchAnswers::BatchAnswers(std::shared_ptr<Group> group)
    : group_(std::move(group)), unfinished_(group_->size) {}

BatchAnswers::~BatchAnswers() {
  group_->wanted = false;
}

std::optional<AnswerPart> BatchAnswers::Next(std::chrono::milliseconds patience) {
  if (done()) return std::nullopt;
  std::unique_lock lock(group_->mutex);
  if (!group_->changed.wait_for(lock, patience, [&] { return !group_->parts.empty(); })) return std::nullopt;
  AnswerPart part = std::move(group_->parts.front());
  group_->parts.pop_front();
  if (!part.error.empty()) throw Error(part.error);
  if (part.last()) --unfinished_;
  return part;
}

struct BatchEngine::State {
  using Group = std::shared_ptr<BatchAnswers::Group>;

  State(Transformer& transformer, const Tokenizer& tokenizer, const BatchOptions& batch_options)
      : options(batch_options), scheduler(transformer, tokenizer, batch_options) {
    statistics.slots = options.slots;
  }

  const BatchOptions options;
  BatchScheduler scheduler;  // the worker's, but for Check

  mutable std::mutex mutex;  // of all below
  std::condition_variable work_came, became_idle;
  std::deque<Group> queue;  // those with requests that have no slot yet
  BatchStatistics statistics;
  bool refuse = false, stop = false;

  std::thread worker;

  bool Idle() const { return queue.empty() && statistics.running == 0; }

  void Work() {
    while (TakeWork()) {
      try {
        scheduler.Step();
      } catch (const std::exception& error) {  // no memory, for instance
        scheduler.FailAll(error.what());
      }
    }
    scheduler.InterruptAll();
    InterruptQueue();
  }

  // Fills free slots; sleeps while there is nothing to do. False: the end.
  bool TakeWork() {
    std::unique_lock lock(mutex);
    FillSlots();
    if (Idle()) became_idle.notify_all();
    work_came.wait(lock, [&] { return stop || !Idle(); });
    FillSlots();
    return !stop;
  }

  void FillSlots() {
    DropUnwanted();
    while (!queue.empty() && !scheduler.full()) {
      const Group group = std::move(queue.front());
      queue.pop_front();
      const size_t index = group->started++;
      scheduler.Start({index, std::move(group->requests[index]), group});
      if (group->started < group->size) queue.push_back(group);  // behind those who wait
    }
    statistics.running = scheduler.running();
    statistics.counters = scheduler.counters();
  }

  void DropUnwanted() {
    std::erase_if(queue, [](const Group& group) { return !group->Wanted(); });
  }

  void InterruptQueue() {
    const std::lock_guard lock(mutex);
    for (const Group& group : queue) {
      while (group->started < group->size)
        group->Put({.index = group->started++, .finish = FinishReason::kInterrupted});
    }
    queue.clear();
  }

  void Accept(const Group& group) {
    const std::lock_guard lock(mutex);
    if (refuse) throw ShuttingDown("the server is shutting down");
    DropUnwanted();
    const size_t free_slots = options.slots - statistics.running;
    if (queue.size() >= options.queue + free_slots) {
      ++statistics.refused;
      throw QueueFull("all ", options.slots, " slots are in use and ", queue.size(),
                      " requests wait already; try again later");
    }
    ++statistics.accepted;
    queue.push_back(group);
    work_came.notify_one();
  }
};

BatchEngine::BatchEngine(Transformer& transformer, const Tokenizer& tokenizer, const BatchOptions& options)
    : state_(std::make_unique<State>(transformer, tokenizer, options)) {
  if (options.slots == 0) throw Error("batching needs at least one slot");
  state_->worker = std::thread([state = state_.get()] { state->Work(); });
}

BatchEngine::~BatchEngine() {
  Stop(std::chrono::milliseconds(0));
}

std::unique_ptr<BatchAnswers> BatchEngine::Submit(std::vector<BatchRequest> requests) {
  for (const BatchRequest& request : requests) state_->scheduler.Check(request);
  const auto group = std::make_shared<BatchAnswers::Group>(std::move(requests));
  if (group->size > 0) state_->Accept(group);
  return std::make_unique<BatchAnswers>(group);
}

BatchStatistics BatchEngine::Statistics() const {
  const std::lock_guard lock(state_->mutex);
  BatchStatistics statistics = state_->statistics;
  statistics.waiting = state_->queue.size();
  statistics.stopping = state_->refuse;
  return statistics;
}

void BatchEngine::Stop(std::chrono::milliseconds patience) {
  {
    std::unique_lock lock(state_->mutex);
    state_->refuse = true;
    state_->became_idle.wait_for(lock, patience, [&] { return state_->Idle(); });
    state_->stop = true;
    state_->work_came.notify_one();
  }
  if (state_->worker.joinable()) state_->worker.join();
}

}  // namespace addend
