// The words in which an answer is asked for and told about.
#pragma once
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "generate/sampler.h"

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
  size_t reused_tokens = 0;  // those whose keys and values were there already
  double prompt_seconds = 0;
  size_t decoded_tokens = 0;  // passes after the prompt's: one less than the tokens written
  double decode_seconds = 0;

  double PromptTokensPerSecond() const;  // of those not reused; 0 when nothing was measured
  double DecodeTokensPerSecond() const;
};

}  // namespace addend
