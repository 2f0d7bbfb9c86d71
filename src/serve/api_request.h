// Requests of OpenAI's API, checked and in plain form. docs/server.md lists the parameters.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "chat/chat_template.h"
#include "generate/generation.h"
#include "tokenizer/token.h"

namespace addend {

// What completions and chats have in common.
struct AnswerRequest {
  std::optional<std::string> model;
  GenerateOptions generate;
  bool has_seed = false;            // generate.sampling.seed was sent
  size_t choices = 1;               // "n"
  std::optional<size_t> likeliest;  // log probabilities are wanted, with this many of the likeliest tokens
  bool reuse_prefix = true;         // "cache_prompt"
  bool stream = false;
  bool include_usage = false;  // at the end of a stream
};

struct CompletionRequest : AnswerRequest {
  using Prompt = std::variant<std::string, std::vector<TokenId>>;
  std::vector<Prompt> prompts;     // at least one
  bool add_special_tokens = true;  // put BOS in front of a text where the model wants it
  bool echo = false;
};

struct ChatRequest : AnswerRequest {
  std::vector<ChatMessage> messages;  // at least one
  Json template_variables = nullptr;
};

struct TokenizeRequest {
  std::optional<std::string> model;
  std::string text;
  bool add_special_tokens = true;
};

struct DetokenizeRequest {
  std::optional<std::string> model;
  std::vector<TokenId> tokens;
};

// From the bodies of requests. All throw ApiError (400) that names what is wrong. `defaults`: what holds for
// sampling parameters that were not sent.
CompletionRequest ParseCompletionRequest(std::string_view body, const SamplingOptions& defaults);
ChatRequest ParseChatRequest(std::string_view body, const SamplingOptions& defaults);
TokenizeRequest ParseTokenizeRequest(std::string_view body);
DetokenizeRequest ParseDetokenizeRequest(std::string_view body);

}  // namespace addend
