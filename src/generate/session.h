// One conversation with a model: prompts in, text out as it comes.
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "model/kv_cache.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {

inline constexpr size_t kUntilContextIsFull = std::numeric_limits<size_t>::max();

struct GenerateOptions {
  SamplingOptions sampling;
  size_t max_tokens = kUntilContextIsFull;  // 0 = only read the prompt
  std::vector<std::string> stop;            // the text ends before the first of these
  bool ignore_end = false;                  // go on after an end token (for benchmarks)
};

enum class FinishReason { kEndToken, kStopString, kMaxTokens, kContextFull, kInterrupted };
std::string_view Name(FinishReason reason);  // for people: "end of text", "stop string", ...

struct GenerateStatistics {
  size_t prompt_tokens = 0;  // all of them
  size_t reused_tokens = 0;  // those whose keys and values were there from the call before
  double prompt_seconds = 0;
  size_t decoded_tokens = 0;  // passes after the prompt's: one less than the tokens generated
  double decode_seconds = 0;

  double PromptTokensPerSecond() const;  // of those not reused; 0 when nothing was measured
  double DecodeTokensPerSecond() const;
};

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

  size_t context() const { return cache_.capacity(); }

  // Throws Error for an empty prompt, one longer than the context, and for broken logits. An interrupt
  // (base/interrupt.h) is no error: what was generated until then is returned.
  Generation Generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                      const TextSink& sink = {});

 private:
  std::optional<FinishReason> Finished(TokenId token, const TextStream& stream, bool wanted,
                                       const GenerateOptions& options, const Generation& result) const;
  bool ReadPrompt(std::span<const TokenId> prompt, GenerateStatistics& statistics);
  void Append(std::span<const TokenId> tokens, LogitRows rows);

  Transformer& transformer_;
  const Tokenizer& tokenizer_;
  KvCache cache_;
  std::vector<TokenId> cached_;  // the tokens in cache_
  Matrix logits_;                // of the last token, 1 x vocabulary
};

}  // namespace addend
