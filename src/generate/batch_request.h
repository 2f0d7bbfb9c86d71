// What several people ask of one model at once, and what they get.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "generate/generation.h"
#include "generate/token_scores.h"
#include "tensor/dtype.h"

namespace addend {

struct BatchOptions {
  size_t slots = 4;       // answers that are written side by side
  size_t context = 2048;  // tokens of prompt and answer together, in each slot
  size_t queue = 64;      // groups of requests that may wait for a slot
  DType kv_type = DType::kF16;
};

struct ScoreOptions {
  size_t likeliest = 0;  // how many of the likeliest tokens to tell for each
  bool prompt = false;   // score the prompt's tokens too
};

struct BatchRequest {
  std::vector<TokenId> prompt;
  GenerateOptions generate;
  std::optional<ScoreOptions> scores;
  // Take over what is known of a prompt that began alike. Without it (and where the prompt is scored) the
  // answer is the same bit for bit whatever was asked before.
  bool reuse_prefix = true;
};

// What is new of one answer.
struct AnswerPart {
  size_t index = 0;  // of the request in its group
  std::string text;
  std::vector<ScoredToken> prompt_scores;  // if asked for; before all else
  std::vector<ScoredToken> scores;         // of the tokens written, if asked for
  std::optional<FinishReason> finish;      // set in an answer's last part, and the two below with it
  GenerateStatistics statistics;
  size_t written_tokens = 0;
  std::string error;  // the answer ended by this; also a last part, without `finish`

  bool last() const { return finish || !error.empty(); }
};

}  // namespace addend
