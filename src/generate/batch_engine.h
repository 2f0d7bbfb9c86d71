// One model for many who ask at once: a queue, a thread that runs BatchScheduler's steps while there is
// something to do, and the answers as they come. New requests join between two tokens of the others.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "generate/batch_request.h"
#include "generate/batch_scheduler.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {

// As many requests as may wait are waiting.
class QueueFull : public Error {
 public:
  using Error::Error;
};
// The engine was told to stop.
class ShuttingDown : public Error {
 public:
  using Error::Error;
};

// As of the end of the last step: an answer may be there a moment before it is counted.
struct BatchStatistics {
  BatchCounters counters;
  size_t slots = 0;
  size_t running = 0;     // answers being written
  size_t waiting = 0;     // groups of requests in the queue
  uint64_t accepted = 0;  // groups
  uint64_t refused = 0;   // because the queue was full
  bool stopping = false;
};

// The answers to one group of requests. Destroying it cancels what is not finished. For one thread.
class BatchAnswers {
 public:
  struct Group;
  explicit BatchAnswers(std::shared_ptr<Group> group);
  ~BatchAnswers();
  BatchAnswers(const BatchAnswers&) = delete;
  BatchAnswers& operator=(const BatchAnswers&) = delete;

  // All parts of all answers were taken.
  bool done() const { return unfinished_ == 0; }
  // The next part, of whichever answer; waits for it, but not longer than `patience`. Throws Error when an
  // answer failed: the model's numbers are broken, or the memory is full.
  std::optional<AnswerPart> Next(std::chrono::milliseconds patience);

 private:
  std::shared_ptr<Group> group_;
  size_t unfinished_;
};

class BatchEngine {
 public:
  // Keeps a reference to the transformer, which must outlive it and is nobody else's meanwhile.
  BatchEngine(Transformer& transformer, const Tokenizer& tokenizer, const BatchOptions& options);
  ~BatchEngine();  // Stop(0)
  BatchEngine(const BatchEngine&) = delete;
  BatchEngine& operator=(const BatchEngine&) = delete;

  // May be called from several threads. Groups take turns at free slots, and each of their requests gets one.
  // Throws QueueFull, ShuttingDown, or Error for a request that cannot be answered; then none of them is.
  std::unique_ptr<BatchAnswers> Submit(std::vector<BatchRequest> requests);

  BatchStatistics Statistics() const;

  // Refuses new requests, gives those that are there so long to finish, then ends their answers as they are.
  void Stop(std::chrono::milliseconds patience);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace addend
