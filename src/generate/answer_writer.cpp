#include "generate/answer_writer.h"

#include <algorithm>

#include "base/error.h"

namespace addend {

AnswerWriter::AnswerWriter(const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                           const GenerateOptions& options, size_t context)
    : tokenizer_(tokenizer),
      sampler_(options.sampling),
      stream_(options.stop),
      sequence_(prompt.begin(), prompt.end()),
      prompt_tokens_(prompt.size()),
      max_tokens_(options.max_tokens),
      context_(context),
      ignore_end_(options.ignore_end) {
  if (prompt.empty()) throw Error("the prompt is empty; it needs at least one token");
  if (prompt.size() > context) {
    throw Error("the prompt has ", prompt.size(), " tokens, the context holds ", context);
  }
  if (max_tokens_ == 0) finish_ = FinishReason::kMaxTokens;
}

std::string AnswerWriter::Write(std::span<const float> logits) {
  const TokenId token = sampler_.Sample(logits, sequence_);
  sequence_.push_back(token);
  std::string text = tokenizer_.IsSpecial(token) ? "" : stream_.Push(tokenizer_.Piece(token));
  finish_ = ReasonToFinish();
  if (finish_) text += stream_.Finish();
  return text;
}

std::string AnswerWriter::Interrupt() {
  finish_ = FinishReason::kInterrupted;
  return stream_.Finish();
}

std::optional<FinishReason> AnswerWriter::ReasonToFinish() const {
  const auto& ends = tokenizer_.end_tokens();
  if (!ignore_end_ && std::find(ends.begin(), ends.end(), sequence_.back()) != ends.end())
    return FinishReason::kEndToken;
  if (stream_.stopped()) return FinishReason::kStopString;
  if (written().size() == max_tokens_) return FinishReason::kMaxTokens;
  if (sequence_.size() > context_) return FinishReason::kContextFull;
  return std::nullopt;
}

}  // namespace addend
