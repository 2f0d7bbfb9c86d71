#include "generate/batch_scheduler.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/progress.h"

namespace addend {
namespace {

// Enough rows to be worth repacking a weight for, few enough that whoever writes waits no longer than some
// tens of tokens take.
constexpr size_t kPromptPart = 64;

// Up to here the products with few rows round as those with one do, whatever the weights' form.
constexpr size_t kWriters = 8;

}  // namespace

struct BatchScheduler::Answer {
  BatchJob job;
  AnswerWriter writer;
  uint64_t number;  // of this start
  bool prompt_begun = false;
  double prompt_end = 0;  // WallSeconds() then
  GenerateStatistics statistics;
};

struct BatchScheduler::Slot {
  CachedSequence sequence;
  uint64_t last_used = 0;
  std::unique_ptr<Answer> answer;  // null: free

  bool reads() const { return answer && answer->writer.written().empty(); }
  bool writes() const { return answer && !reads(); }
  size_t unread() const { return answer->writer.prompt().size() - sequence.tokens().size(); }
};

BatchScheduler::BatchScheduler(Transformer& transformer, const Tokenizer& tokenizer,
                               const BatchOptions& options)
    : transformer_(transformer), tokenizer_(tokenizer), context_(options.context) {
  slots_.reserve(options.slots);
  for (size_t i = 0; i < options.slots; ++i)
    slots_.push_back({CachedSequence(transformer.config(), options.context, options.kv_type)});
}

BatchScheduler::~BatchScheduler() = default;

void BatchScheduler::Check(const BatchRequest& request) const {
  AnswerWriter(tokenizer_, request.prompt, request.generate, context_);
  CheckTokens(request.prompt, transformer_.config().vocabulary);
}

size_t BatchScheduler::running() const {
  return static_cast<size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.answer != nullptr; }));
}

bool BatchScheduler::full() const {
  return running() == slots_.size();
}

void BatchScheduler::Start(BatchJob job) {
  Slot& slot = ChooseSlot(job.request.prompt);
  slot.last_used = ++clock_;
  AnswerWriter writer(tokenizer_, job.request.prompt, job.request.generate, context_);
  slot.answer = std::make_unique<Answer>(Answer{std::move(job), std::move(writer), clock_});
}

// One whose text the prompt goes on with; else the one that was not used for the longest time. (What another
// slot has in common with the prompt is copied: BeginPrompt.)
BatchScheduler::Slot& BatchScheduler::ChooseSlot(std::span<const TokenId> prompt) {
  Slot* continued = nullptr;
  Slot* oldest = nullptr;
  size_t most = 0;
  for (Slot& slot : slots_) {
    if (slot.answer) continue;
    if (oldest == nullptr || slot.last_used < oldest->last_used) oldest = &slot;
    const size_t reusable = slot.sequence.Reusable(prompt);
    if (reusable <= most || 2 * reusable < slot.sequence.tokens().size()) continue;
    most = reusable;
    continued = &slot;
  }
  return continued != nullptr ? *continued : *oldest;
}

void BatchScheduler::Step() {
  DropUnwanted();
  WriteTokens();
  ReadPromptPart();
}

void BatchScheduler::DropUnwanted() {
  for (Slot& slot : slots_) {
    if (!slot.answer || slot.answer->job.sink->Wanted()) continue;
    slot.answer.reset();
    ++counters_.cancelled;
  }
}

// ---- Writing ----

void BatchScheduler::WriteTokens() {
  std::vector<Slot*> writers;
  for (Slot& slot : slots_) {
    if (slot.writes()) writers.push_back(&slot);
  }
  for (size_t first = 0; first < writers.size(); first += kWriters)
    WriteTokensOf(std::span(writers).subspan(first, std::min(kWriters, writers.size() - first)));
}

void BatchScheduler::WriteTokensOf(std::span<Slot* const> writers) {
  const double start = WallSeconds();
  std::vector<SequenceTokens> batch;
  for (Slot* const slot : writers)
    batch.push_back({slot->answer->writer.sequence().last(1), &slot->sequence.cache()});
  transformer_.ForwardHidden(batch, hidden_);
  logits_.Reshape(hidden_.rows(), transformer_.config().vocabulary);
  transformer_.Logits(hidden_, logits_);
  ++counters_.decode_passes;
  for (size_t i = 0; i < writers.size(); ++i) {
    writers[i]->sequence.Append(batch[i].tokens);
    ++writers[i]->answer->statistics.decoded_tokens;
    WriteToken(*writers[i], logits_.Row(i));
  }
  counters_.decode_seconds += WallSeconds() - start;
}

void BatchScheduler::WriteToken(Slot& slot, std::span<const float> logits) {
  Answer& answer = *slot.answer;
  AnswerPart part;
  try {
    part.text = answer.writer.Write(logits);
    if (const auto& scores = answer.job.request.scores)
      part.scores.push_back(Score(logits, answer.writer.sequence().back(), scores->likeliest));
  } catch (const Error& error) {  // the numbers of this sequence are broken, not those of the others
    return Fail(slot, error.what());
  }
  ++counters_.written_tokens;
  answer.statistics.decode_seconds = WallSeconds() - answer.prompt_end;
  Deliver(slot, std::move(part));
}

// ---- Reading ----

void BatchScheduler::ReadPromptPart() {
  Slot* const slot = NextReader();
  if (slot == nullptr) return;
  Answer& answer = *slot->answer;
  if (!answer.prompt_begun) BeginPrompt(*slot);

  const double start = WallSeconds();
  const size_t first = slot->sequence.tokens().size();
  const auto part = answer.writer.prompt().subspan(first, std::min(kPromptPart, slot->unread()));
  transformer_.ForwardHidden(part, slot->sequence.cache(), hidden_);
  slot->sequence.Append(part);
  const bool score = answer.job.request.scores && answer.job.request.scores->prompt;
  const size_t wanted = score ? part.size() : slot->unread() == 0 ? 1 : 0;
  logits_.Reshape(wanted, transformer_.config().vocabulary);
  transformer_.Logits(hidden_.view().Rows(part.size() - wanted, wanted), logits_);
  const double seconds = WallSeconds() - start;
  answer.statistics.prompt_seconds += seconds;
  counters_.prompt_seconds += seconds;
  counters_.prompt_tokens += part.size();

  try {
    if (score) ScorePrompt(answer, first);
  } catch (const Error& error) {
    return Fail(*slot, error.what());
  }
  if (slot->unread() == 0) EndPrompt(*slot, logits_.Row(wanted - 1));
}

// Whoever needs the least before he can write, of equals the first. Of several that ask the same, the first
// reads it all, and the others copy.
BatchScheduler::Slot* BatchScheduler::NextReader() {
  const auto need = [](const Slot& slot) {
    const size_t unread = slot.answer->prompt_begun ? slot.unread() : slot.answer->writer.prompt().size();
    return std::pair(unread, slot.answer->number);
  };
  Slot* next = nullptr;
  for (Slot& slot : slots_) {
    if (slot.reads() && (next == nullptr || need(slot) < need(*next))) next = &slot;
  }
  return next;
}

void BatchScheduler::BeginPrompt(Slot& slot) {
  Answer& answer = *slot.answer;
  const BatchRequest& request = answer.job.request;
  answer.prompt_begun = true;
  const bool reuse = request.reuse_prefix && !(request.scores && request.scores->prompt);
  const Slot* donor = &slot;
  size_t reused = 0;
  for (const Slot& other : slots_) {
    if (!reuse) break;
    const size_t reusable = other.sequence.Reusable(request.prompt);
    if (reusable < reused || (reusable == reused && &other != &slot)) continue;
    reused = reusable;
    donor = &other;
  }
  if (donor == &slot) {
    slot.sequence.Truncate(reused);
  } else {
    slot.sequence.CopyPrefix(donor->sequence, reused);
  }
  answer.statistics.prompt_tokens = request.prompt.size();
  answer.statistics.reused_tokens = reused;
  counters_.reused_tokens += reused;
}

// logits_: behind each of the prompt's tokens from `first` on.
void BatchScheduler::ScorePrompt(Answer& answer, size_t first) {
  const std::span<const TokenId> prompt = answer.writer.prompt();
  const size_t scored = std::min(logits_.rows(), prompt.size() - 1 - first);
  AnswerPart part{.index = answer.job.index};
  part.prompt_scores.resize(scored);
  transformer_.pool().For(scored, [&](size_t i) {
    part.prompt_scores[i] =
        Score(logits_.Row(i), prompt[first + i + 1], answer.job.request.scores->likeliest);
  });
  if (first == 0) part.prompt_scores.insert(part.prompt_scores.begin(), ScoredToken{.id = prompt[0]});
  answer.job.sink->Put(std::move(part));
}

void BatchScheduler::EndPrompt(Slot& slot, std::span<const float> logits) {
  slot.answer->prompt_end = WallSeconds();
  if (slot.answer->writer.finish()) {
    Deliver(slot, {});
  } else {
    WriteToken(slot, logits);
  }
}

// ---- The end ----

void BatchScheduler::Deliver(Slot& slot, AnswerPart part) {
  Answer& answer = *slot.answer;
  part.index = answer.job.index;
  part.finish = answer.writer.finish();
  if (part.finish) {
    part.statistics = answer.statistics;
    part.written_tokens = answer.writer.written().size();
    ++counters_.finished;
  }
  const std::unique_ptr<Answer> ended = part.finish ? std::move(slot.answer) : nullptr;
  answer.job.sink->Put(std::move(part));
}

void BatchScheduler::Fail(Slot& slot, const std::string& error) {
  const std::unique_ptr<Answer> ended = std::move(slot.answer);
  slot.sequence.Truncate(0);  // what is in there may be broken
  ++counters_.failed;
  ended->job.sink->Put({.index = ended->job.index, .error = error});
}

void BatchScheduler::InterruptAll() {
  for (Slot& slot : slots_) {
    if (!slot.answer) continue;
    const bool ended =
        slot.answer->writer.finish().has_value();  // max_tokens = 0, before the prompt was read
    Deliver(slot, {.text = ended ? "" : slot.answer->writer.Interrupt()});
  }
}

void BatchScheduler::FailAll(const std::string& error) {
  for (Slot& slot : slots_) {
    if (slot.answer) Fail(slot, error);
  }
}

}  // namespace addend
