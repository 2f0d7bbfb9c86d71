// One answer being written: from the logits behind each token to the text that may be shown.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/generation.h"
#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "tokenizer/tokenizer.h"

namespace addend {

class AnswerWriter {
 public:
  // `context`: tokens of prompt and answer together; the last one written needs no room in it. Throws Error
  // for an empty prompt, one longer than the context, and options out of range. Copies of a tokenizer share
  // what is in it.
  AnswerWriter(const Tokenizer& tokenizer, std::span<const TokenId> prompt, const GenerateOptions& options,
               size_t context);

  // Set once the answer is at its end; with max_tokens = 0 from the beginning.
  const std::optional<FinishReason>& finish() const { return finish_; }

  // Unless finished: chooses the next token by the logits behind the last one; returns the text that is
  // certain now. Throws Error when a logit is not finite.
  std::string Write(std::span<const float> logits);
  // Unless finished: ends the answer here; returns the text that was held back.
  std::string Interrupt();

  // The prompt and what was written, the end token included.
  std::span<const TokenId> sequence() const { return sequence_; }
  std::span<const TokenId> prompt() const { return sequence().first(prompt_tokens_); }
  std::span<const TokenId> written() const { return sequence().subspan(prompt_tokens_); }

 private:
  std::optional<FinishReason> ReasonToFinish() const;

  Tokenizer tokenizer_;
  Sampler sampler_;
  TextStream stream_;
  std::vector<TokenId> sequence_;
  size_t prompt_tokens_, max_tokens_, context_;
  bool ignore_end_;
  std::optional<FinishReason> finish_;
};

}  // namespace addend
