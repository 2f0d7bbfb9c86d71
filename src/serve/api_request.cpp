#include "serve/api_request.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "serve/api_error.h"
#include "serve/json_fields.h"

namespace addend {
namespace {

// More than anybody needs, and little enough that one request cannot fill the memory.
constexpr size_t kMostPrompts = 2048;
constexpr size_t kMostChoices = 64;
constexpr size_t kMostAnswers = 2048;  // prompts times choices
constexpr size_t kMostLikeliest = 20;
constexpr size_t kMostStops = 16;
constexpr size_t kLongestStop = 1000;                // bytes
constexpr uint64_t kMostTokens = uint64_t{1} << 40;  // the context ends it long before
constexpr uint64_t kDefaultCompletionTokens = 16;    // as in OpenAI's API
constexpr double kMostTemperature = 100;

std::string ItemPath(const std::string& list, size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

std::vector<TokenId> ParseTokenIds(const Json& list, const std::string& path) {
  std::vector<TokenId> ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    const bool fits = id.is_number_unsigned() && id.get<uint64_t>() <= std::numeric_limits<TokenId>::max();
    if (!fits) ThrowWrongValue(ItemPath(path, ids.size()), id, "a token id");
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

// ---- What completions and chats have in common ----

std::vector<std::string> ParseStop(JsonFields& fields) {
  const Json* const stop = fields.Take("stop");
  if (stop == nullptr) return {};
  const auto text = [](const Json& value, const std::string& path) {
    if (!value.is_string()) ThrowWrongValue(path, value, "a text");
    const std::string& stop_text = value.get_ref<const std::string&>();
    if (stop_text.empty() || stop_text.size() > kLongestStop) {
      throw ApiError(400,
                     "'" + path + "' has " + std::to_string(stop_text.size()) + " bytes, it must have 1 to " +
                         std::to_string(kLongestStop),
                     path);
    }
    return stop_text;
  };
  if (!stop->is_array()) return {text(*stop, "stop")};
  if (stop->size() > kMostStops) {
    throw ApiError(400,
                   "'stop' has " + std::to_string(stop->size()) + " texts, at most " +
                       std::to_string(kMostStops) + " can be had",
                   "stop");
  }
  std::vector<std::string> texts;
  for (const Json& value : *stop) texts.push_back(text(value, ItemPath("stop", texts.size())));
  return texts;
}

SamplingOptions ParseSampling(JsonFields& fields, const SamplingOptions& defaults) {
  SamplingOptions sampling = defaults;
  const auto number = [&](const char* name, double least, double most, float& value) {
    if (const auto given = fields.TakeNumber(name, least, most)) value = static_cast<float>(*given);
  };
  number("temperature", 0, kMostTemperature, sampling.temperature);
  number("top_p", 0, 1, sampling.top_p);
  number("min_p", 0, 1, sampling.min_p);
  number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);
  if (const auto top_k = fields.TakeCount("top_k", 0, std::numeric_limits<uint32_t>::max()))
    sampling.top_k = *top_k;
  // 0 is "the likeliest token only", which clients send to mean it.
  if (sampling.top_p == 0) sampling.top_p = std::numeric_limits<float>::min();
  return sampling;
}

// Any integer, also a negative one, is some seed.
bool ParseSeed(JsonFields& fields, uint64_t& seed) {
  const Json* const value = fields.Take("seed");
  if (value == nullptr) return false;
  if (!value->is_number_integer()) ThrowWrongValue("seed", *value, "a whole number");
  seed = value->is_number_unsigned() ? value->get<uint64_t>() : static_cast<uint64_t>(value->get<int64_t>());
  return true;
}

void ParseStreaming(JsonFields& fields, AnswerRequest& request) {
  request.stream = fields.TakeFlag("stream").value_or(false);
  const Json* const options = fields.Take("stream_options");
  if (options == nullptr) return;
  if (!request.stream) throw ApiError(400, "'stream_options' needs 'stream': true", "stream_options");
  JsonFields stream_fields(*options, "stream_options");
  request.include_usage = stream_fields.TakeFlag("include_usage").value_or(false);
  stream_fields.Ignore("include_obfuscation");
  stream_fields.RefuseOthers();
}

// What has no effect here, and what cannot be had.
void ParseUnsupported(JsonFields& fields) {
  for (const char* name : {"user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier"})
    fields.Ignore(name);
  fields.TakeOnly("store", false, "nothing is stored here");
  fields.TakeOnly("logit_bias", Json::object(), "this server cannot bias tokens");
  for (const char* name : {"presence_penalty", "frequency_penalty"})
    fields.TakeOnly(name, 0, "this server has only 'repeat_penalty'");
}

void ParseAnswerFields(JsonFields& fields, const SamplingOptions& defaults, AnswerRequest& request) {
  request.model = fields.TakeText("model");
  request.generate.sampling = ParseSampling(fields, defaults);
  request.has_seed = ParseSeed(fields, request.generate.sampling.seed);
  request.generate.stop = ParseStop(fields);
  request.generate.ignore_end = fields.TakeFlag("ignore_eos").value_or(false);
  request.choices = fields.TakeCount("n", 1, kMostChoices).value_or(1);
  request.reuse_prefix = fields.TakeFlag("cache_prompt").value_or(true);
  ParseStreaming(fields, request);
  ParseUnsupported(fields);
}

// ---- Completions ----

bool IsTokenList(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_number();
}

std::vector<CompletionRequest::Prompt> ParsePrompts(const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (IsTokenList(value)) return {ParseTokenIds(value, "prompt")};
  if (!value.is_array() || value.empty())
    ThrowWrongValue("prompt", value, "a text, a list of token ids, or a list of such that is not empty");
  if (value.size() > kMostPrompts) {
    throw ApiError(400,
                   "'prompt' has " + std::to_string(value.size()) + " prompts, at most " +
                       std::to_string(kMostPrompts) + " can be had in one request",
                   "prompt");
  }
  std::vector<CompletionRequest::Prompt> prompts;
  for (const Json& item : value) {
    const std::string path = ItemPath("prompt", prompts.size());
    if (item.is_string()) {
      prompts.push_back(item.get<std::string>());
    } else if (item.is_array()) {
      prompts.push_back(ParseTokenIds(item, path));
    } else {
      ThrowWrongValue(path, item, "a text or a list of token ids");
    }
  }
  return prompts;
}

void CheckAnswers(size_t prompts, size_t choices) {
  if (prompts * choices <= kMostAnswers) return;
  throw ApiError(400,
                 std::to_string(prompts) + " prompts with 'n' = " + std::to_string(choices) +
                     " are more than the " + std::to_string(kMostAnswers) +
                     " answers that one request can have",
                 "n");
}

// ---- Chats ----

// A text, null, or a list of parts of which each is a text.
std::string ParseContent(JsonFields& fields) {
  const Json* const content = fields.Take("content");
  if (content == nullptr) return "";
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) ThrowWrongValue(fields.PathTo("content"), *content, "a text or a list of parts");
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    JsonFields part((*content)[i], ItemPath(fields.PathTo("content"), i));
    const Json& type = part.Require("type");
    if (type != "text") ThrowWrongValue(part.PathTo("type"), type, "'text': this server reads nothing else");
    const auto part_text = part.TakeText("text");
    if (!part_text) throw ApiError(400, "'" + part.PathTo("text") + "' is missing", part.PathTo("text"));
    part.RefuseOthers();
    if (i > 0) text += '\n';
    text += *part_text;
  }
  return text;
}

// "developer" is OpenAI's newer name of the system.
std::string ParseRole(JsonFields& fields) {
  const Json& value = fields.Require("role");
  const std::string role = value.is_string() ? value.get<std::string>() : "";
  if (role == "developer") return "system";
  const auto known = {"system", "user", "assistant", "tool"};
  if (std::find(known.begin(), known.end(), role) == known.end())
    ThrowWrongValue(fields.PathTo("role"), value, "system, developer, user, assistant or tool");
  return role;
}

// What a client sends back of an answer that it got, and which holds nothing.
void IgnoreEmpty(JsonFields& fields, const char* name) {
  const Json* const value = fields.Take(name);
  if (value != nullptr && !value->empty()) ThrowWrongValue(fields.PathTo(name), *value, "null or empty");
}

ChatMessage ParseMessage(const Json& value, const std::string& path) {
  JsonFields fields(value, path);
  ChatMessage message{.role = ParseRole(fields), .content = ParseContent(fields)};
  for (const char* name : {"name", "tool_call_id", "reasoning_content"}) {
    if (const auto text = fields.TakeText(name)) message.fields[name] = *text;
  }
  if (const Json* const calls = fields.Take("tool_calls")) message.fields["tool_calls"] = *calls;
  for (const char* name : {"refusal", "annotations", "audio", "function_call"}) IgnoreEmpty(fields, name);
  fields.RefuseOthers();
  return message;
}

std::vector<ChatMessage> ParseMessages(const Json& list) {
  if (!list.is_array() || list.empty()) ThrowWrongValue("messages", list, "a list that is not empty");
  std::vector<ChatMessage> messages;
  for (const Json& value : list)
    messages.push_back(ParseMessage(value, ItemPath("messages", messages.size())));
  return messages;
}

// Of both names of the limit the newer one wins.
size_t ParseChatTokens(JsonFields& fields) {
  const auto older = fields.TakeCount("max_tokens", 0, kMostTokens);
  const auto newer = fields.TakeCount("max_completion_tokens", 0, kMostTokens);
  return newer ? *newer : older ? *older : kUntilContextIsFull;
}

std::optional<size_t> ParseChatLogProbabilities(JsonFields& fields) {
  const bool wanted = fields.TakeFlag("logprobs").value_or(false);
  const auto likeliest = fields.TakeCount("top_logprobs", 0, kMostLikeliest);
  if (likeliest && !wanted) throw ApiError(400, "'top_logprobs' needs 'logprobs': true", "top_logprobs");
  if (!wanted) return std::nullopt;
  return likeliest.value_or(0);
}

void ParseUnsupportedOfChats(JsonFields& fields) {
  fields.TakeOnly("tools", Json::array(), "this server does not find calls of tools in an answer");
  fields.TakeOnly("functions", Json::array(), "this server does not find calls of functions in an answer");
  for (const char* name : {"tool_choice", "function_call"})
    fields.TakeOnly(name, "none", "this server does not find calls of tools in an answer");
  fields.Ignore("parallel_tool_calls");
  fields.TakeOnly("response_format", Json{{"type", "text"}}, "this server cannot force a format");
  fields.TakeOnly("modalities", Json::array({"text"}), "this server writes nothing but text");
}

}  // namespace

CompletionRequest ParseCompletionRequest(std::string_view body, const SamplingOptions& defaults) {
  const Json json = ParseBody(body);
  JsonFields fields(json, "");
  CompletionRequest request;
  ParseAnswerFields(fields, defaults, request);
  request.prompts = ParsePrompts(fields.Require("prompt"));
  CheckAnswers(request.prompts.size(), request.choices);
  request.echo = fields.TakeFlag("echo").value_or(false);
  request.add_special_tokens = fields.TakeFlag("add_special_tokens").value_or(true);
  request.generate.max_tokens =
      fields.TakeCount("max_tokens", 0, kMostTokens).value_or(kDefaultCompletionTokens);
  request.likeliest = fields.TakeCount("logprobs", 0, kMostLikeliest);
  fields.TakeOnly("suffix", "", "this server cannot fill in before a suffix");
  fields.TakeOnly("best_of", request.choices, "all 'n' answers are given, none is left out");
  fields.RefuseOthers();
  return request;
}

ChatRequest ParseChatRequest(std::string_view body, const SamplingOptions& defaults) {
  const Json json = ParseBody(body);
  JsonFields fields(json, "");
  ChatRequest request;
  ParseAnswerFields(fields, defaults, request);
  request.messages = ParseMessages(fields.Require("messages"));
  request.generate.max_tokens = ParseChatTokens(fields);
  request.likeliest = ParseChatLogProbabilities(fields);
  if (const Json* const variables = fields.Take("chat_template_kwargs")) {
    if (!variables->is_object()) ThrowWrongValue("chat_template_kwargs", *variables, "an object");
    request.template_variables = *variables;
  }
  ParseUnsupportedOfChats(fields);
  fields.RefuseOthers();
  return request;
}

TokenizeRequest ParseTokenizeRequest(std::string_view body) {
  const Json json = ParseBody(body);
  JsonFields fields(json, "");
  TokenizeRequest request{.model = fields.TakeText("model")};
  const Json& text = fields.Require("prompt");
  if (!text.is_string()) ThrowWrongValue("prompt", text, "a text");
  request.text = text.get<std::string>();
  request.add_special_tokens = fields.TakeFlag("add_special_tokens").value_or(true);
  fields.RefuseOthers();
  return request;
}

DetokenizeRequest ParseDetokenizeRequest(std::string_view body) {
  const Json json = ParseBody(body);
  JsonFields fields(json, "");
  DetokenizeRequest request{.model = fields.TakeText("model")};
  const Json& tokens = fields.Require("tokens");
  if (!tokens.is_array()) ThrowWrongValue("tokens", tokens, "a list of token ids");
  request.tokens = ParseTokenIds(tokens, "tokens");
  fields.RefuseOthers();
  return request;
}

}  // namespace addend
