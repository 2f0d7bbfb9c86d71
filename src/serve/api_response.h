// Answers in the JSON of OpenAI's API: whole, or in chunks as events of a stream.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "generate/generation.h"
#include "generate/token_scores.h"
#include "tokenizer/tokenizer.h"

namespace addend {

// An answer, or a part of one.
struct Choice {
  size_t index = 0;
  std::string text;
  std::vector<ScoredToken> scores;  // of the tokens in `text`, where log probabilities were asked for
  size_t first_character = 0;       // characters of the answer's tokens before `scores`
  std::optional<FinishReason> finish;
};

struct Usage {
  size_t prompt_tokens = 0;
  size_t cached_tokens = 0;  // of the prompt's
  size_t completion_tokens = 0;
};

class ResponseWriter {
 public:
  enum class Kind { kCompletion, kChat };

  struct Settings {
    Kind kind = Kind::kCompletion;
    std::string model;
    bool log_probabilities = false;
    bool usage_at_end = false;  // of a stream
  };
  ResponseWriter(Settings settings, const Tokenizer& tokenizer);

  Json Whole(std::span<const Choice> choices, const Usage& usage) const;

  // Chunks of a stream. A chat's answer begins with one that tells the role.
  Json Begin(size_t index) const;
  Json Chunk(const Choice& part) const;
  Json UsageAtEnd(const Usage& usage) const;

 private:
  Json Head(const char* object) const;
  Json ChunkHead() const;
  Json LogProbabilities(const Choice& choice) const;
  Json CompletionLogProbabilities(const Choice& choice) const;
  Json ChatLogProbabilities(const Choice& choice) const;
  Json ChatToken(const TokenChance& chance) const;
  std::string TokenText(TokenId id) const;

  Settings settings_;
  Tokenizer tokenizer_;
  std::string id_;
  int64_t created_;
};

// How many characters the texts of these tokens have.
size_t CountCharacters(std::span<const ScoredToken> tokens, const Tokenizer& tokenizer);

// `json` as text; what is not UTF-8 in it becomes U+FFFD.
std::string ToText(const Json& json);
// An event of a stream, and the one that ends it.
std::string ServerSentEvent(const Json& json);
std::string LastServerSentEvent();

}  // namespace addend
