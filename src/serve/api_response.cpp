#include "serve/api_response.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <random>
#include <utility>

#include "tokenizer/utf8.h"

namespace addend {
namespace {

// "cmpl-" and 24 hexadecimal digits: nobody has to guess it, but no two should be equal.
std::string RandomId(const char* prefix) {
  std::random_device random;
  std::string id = prefix;
  for (int i = 0; i < 3; ++i) {
    std::array<char, 9> digits{};
    std::snprintf(digits.data(), digits.size(), "%08x", random());
    id += digits.data();
  }
  return id;
}

Json FinishName(const std::optional<FinishReason>& finish) {
  if (!finish) return nullptr;
  const bool by_itself = *finish == FinishReason::kEndToken || *finish == FinishReason::kStopString;
  return by_itself ? "stop" : "length";
}

Json ToJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

size_t Characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(),
                                           [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

ResponseWriter::ResponseWriter(Settings settings, const Tokenizer& tokenizer)
    : settings_(std::move(settings)),
      tokenizer_(tokenizer),
      id_(RandomId(settings_.kind == Kind::kChat ? "chatcmpl-" : "cmpl-")),
      created_(std::time(nullptr)) {}

Json ResponseWriter::Whole(std::span<const Choice> choices, const Usage& usage) const {
  const bool chat = settings_.kind == Kind::kChat;
  Json response = Head(chat ? "chat.completion" : "text_completion");
  for (const Choice& choice : choices) {
    Json entry = {{"index", choice.index}};
    if (chat) {
      entry["message"] = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    } else {
      entry["text"] = choice.text;
    }
    entry["logprobs"] = LogProbabilities(choice);
    entry["finish_reason"] = FinishName(choice.finish);
    response["choices"].push_back(std::move(entry));
  }
  response["usage"] = ToJson(usage);
  return response;
}

Json ResponseWriter::Begin(size_t index) const {
  Json chunk = ChunkHead();
  chunk["choices"].push_back({{"index", index},
                              {"delta", {{"role", "assistant"}, {"content", ""}}},
                              {"logprobs", nullptr},
                              {"finish_reason", nullptr}});
  return chunk;
}

Json ResponseWriter::Chunk(const Choice& part) const {
  Json entry = {{"index", part.index}};
  if (settings_.kind == Kind::kCompletion) {
    entry["text"] = part.text;
  } else {
    entry["delta"] = part.text.empty() ? Json::object() : Json{{"content", part.text}};
  }
  entry["logprobs"] = part.scores.empty() ? Json(nullptr) : LogProbabilities(part);
  entry["finish_reason"] = FinishName(part.finish);
  Json chunk = ChunkHead();
  chunk["choices"].push_back(std::move(entry));
  return chunk;
}

Json ResponseWriter::UsageAtEnd(const Usage& usage) const {
  Json chunk = ChunkHead();
  chunk["usage"] = ToJson(usage);
  return chunk;
}

Json ResponseWriter::Head(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", settings_.model},
          {"choices", Json::array()}};
}

Json ResponseWriter::ChunkHead() const {
  Json chunk = Head(settings_.kind == Kind::kChat ? "chat.completion.chunk" : "text_completion");
  if (settings_.usage_at_end) chunk["usage"] = nullptr;
  return chunk;
}

Json ResponseWriter::LogProbabilities(const Choice& choice) const {
  if (!settings_.log_probabilities) return nullptr;
  return settings_.kind == Kind::kChat ? ChatLogProbabilities(choice) : CompletionLogProbabilities(choice);
}

Json ResponseWriter::CompletionLogProbabilities(const Choice& choice) const {
  Json tokens = Json::array(), values = Json::array(), top = Json::array(), offsets = Json::array();
  size_t offset = choice.first_character;
  for (const ScoredToken& scored : choice.scores) {
    const std::string text = TokenText(scored.id);
    tokens.push_back(text);
    offsets.push_back(offset);
    offset += Characters(text);
    if (!scored.log_probability) {
      values.push_back(nullptr);
      top.push_back(nullptr);
      continue;
    }
    values.push_back(*scored.log_probability);
    // Several tokens may look the same (parts of characters): the likelier one stays, so that the likeliest
    // of all is always there.
    Json chances = Json::object();
    for (const TokenChance& chance : scored.likeliest) {
      const std::string name = TokenText(chance.id);
      if (!chances.contains(name)) chances[name] = chance.log_probability;
    }
    if (!chances.contains(text)) chances[text] = *scored.log_probability;
    top.push_back(std::move(chances));
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

Json ResponseWriter::ChatLogProbabilities(const Choice& choice) const {
  Json content = Json::array();
  for (const ScoredToken& scored : choice.scores) {
    Json token = ChatToken({scored.id, scored.log_probability.value_or(0)});
    token["top_logprobs"] = Json::array();
    for (const TokenChance& chance : scored.likeliest) token["top_logprobs"].push_back(ChatToken(chance));
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json ResponseWriter::ChatToken(const TokenChance& chance) const {
  Json bytes = Json::array();
  for (const char byte : tokenizer_.Piece(chance.id)) bytes.push_back(static_cast<uint8_t>(byte));
  return {{"token", TokenText(chance.id)}, {"logprob", chance.log_probability}, {"bytes", std::move(bytes)}};
}

std::string ResponseWriter::TokenText(TokenId id) const {
  return ReplaceInvalidUtf8(tokenizer_.Piece(id));
}

size_t CountCharacters(std::span<const ScoredToken> tokens, const Tokenizer& tokenizer) {
  size_t count = 0;
  for (const ScoredToken& token : tokens) count += Characters(ReplaceInvalidUtf8(tokenizer.Piece(token.id)));
  return count;
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ServerSentEvent(const Json& json) {
  return "data: " + ToText(json) + "\n\n";
}

std::string LastServerSentEvent() {
  return "data: [DONE]\n\n";
}

}  // namespace addend
