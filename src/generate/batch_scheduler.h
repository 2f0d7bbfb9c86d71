// The steps of continuous batching, on one thread: which tokens go through the model together. batch_engine.h
// puts the queue and the threads around it.
//
// A step is a token for all who write, in passes of up to eight, and one part of one prompt, so that nobody
// who writes waits long for somebody's long prompt. The two go through the model apart and parts are always
// cut alike: what an answer consists of then does not depend on who else is there (of matrix products, few
// and many rows round differently).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "generate/answer_writer.h"
#include "generate/batch_request.h"
#include "generate/cached_sequence.h"
#include "model/transformer.h"

namespace addend {

// Who gets an answer.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void Put(AnswerPart part) = 0;
  virtual bool Wanted() const = 0;  // false: stop working on it, nobody listens
};

struct BatchJob {
  size_t index;
  BatchRequest request;
  std::shared_ptr<AnswerSink> sink;
};

struct BatchCounters {
  uint64_t prompt_tokens = 0;  // that were read: without those reused
  uint64_t reused_tokens = 0;
  uint64_t written_tokens = 0;
  uint64_t decode_passes = 0;
  double prompt_seconds = 0;
  double decode_seconds = 0;
  uint64_t finished = 0;   // answers
  uint64_t cancelled = 0;  // because nobody listened
  uint64_t failed = 0;
};

class BatchScheduler {
 public:
  BatchScheduler(Transformer& transformer, const Tokenizer& tokenizer, const BatchOptions& options);
  ~BatchScheduler();

  // Throws Error when a request could not be answered: see AnswerWriter, and ids outside of the vocabulary.
  void Check(const BatchRequest& request) const;

  size_t running() const;
  bool full() const;
  // Takes a slot, of which one must be free. The request was checked.
  void Start(BatchJob job);
  void Step();
  // Ends all answers where they are.
  void InterruptAll();
  void FailAll(const std::string& error);
  const BatchCounters& counters() const { return counters_; }

 private:
  struct Answer;
  struct Slot;

  Slot& ChooseSlot(std::span<const TokenId> prompt);
  void DropUnwanted();

  void WriteTokens();
  void WriteTokensOf(std::span<Slot* const> writers);
  void WriteToken(Slot& slot, std::span<const float> logits);

  void ReadPromptPart();
  Slot* NextReader();
  void BeginPrompt(Slot& slot);
  void ScorePrompt(Answer& answer, size_t first);
  void EndPrompt(Slot& slot, std::span<const float> logits);

  void Deliver(Slot& slot, AnswerPart part);
  void Fail(Slot& slot, const std::string& error);

  Transformer& transformer_;
  const Tokenizer tokenizer_;
  const size_t context_;
  std::vector<Slot> slots_;
  uint64_t clock_ = 0;  // counts the answers started
  BatchCounters counters_;
  Matrix hidden_, logits_;  // kept from pass to pass
};

}  // namespace addend
