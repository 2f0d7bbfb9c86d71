// One conversation with a model: prompts in, text out as it comes.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/cached_sequence.h"
#include "generate/generation.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {

struct Generation {
  std::vector<TokenId> tokens;  // with the end token, if that is how it ended
  std::string text;             // all that was streamed
  FinishReason finish = FinishReason::kMaxTokens;
  GenerateStatistics statistics;
};

// Called with each piece of text (never empty, whole UTF-8 characters); false stops the generation as an
// interrupt does.
using TextSink = std::function<bool(std::string_view piece)>;

// Keeps the keys and values of the last call: a prompt that begins like what was said so far only costs what
// is new.
class Session {
 public:
  // Keeps references to both, which must outlive it. `context`: tokens of prompt and answer together.
  Session(Transformer& transformer, const Tokenizer& tokenizer, size_t context, DType kv_type = DType::kF16);

  size_t context() const { return sequence_.context(); }

  // Throws Error for an empty prompt, one longer than the context, and for broken logits. An interrupt
  // (base/interrupt.h) is no error: what was generated until then is returned.
  Generation Generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                      const TextSink& sink = {});

 private:
  bool ReadPrompt(std::span<const TokenId> prompt, GenerateStatistics& statistics);
  void Append(std::span<const TokenId> tokens, LogitRows rows);

  Transformer& transformer_;
  const Tokenizer& tokenizer_;
  CachedSequence sequence_;
  Matrix logits_;  // of the last token, 1 x vocabulary
};

}  // namespace addend
