#include "serve/api_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "serve/api_error.h"

namespace addend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const SamplingOptions kDefaults{.top_k = 11, .temperature = 0.5f};

CompletionRequest Completion(const std::string& body) {
  return ParseCompletionRequest(body, kDefaults);
}
ChatRequest Chat(const std::string& body) {
  return ParseChatRequest(body, kDefaults);
}

struct Refusal {
  std::string body, message, parameter;
};

template <typename Parse>
void ExpectRefused(const Parse& parse, const Refusal& refusal) {
  SCOPED_TRACE(refusal.body.substr(0, 200));
  try {
    parse(refusal.body);
    ADD_FAILURE() << "was taken";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400);
    EXPECT_THAT(error.what(), HasSubstr(refusal.message));
    EXPECT_LT(std::string(error.what()).size(), 400u);
    const Json parameter = error.ToJson()["error"]["param"];
    EXPECT_EQ(parameter, refusal.parameter.empty() ? Json(nullptr) : Json(refusal.parameter));
  }
}

TEST(CompletionRequest, DefaultsAreOpenAis) {
  const CompletionRequest request = Completion(R"({"prompt": "abc", "stop": null, "seed": null})");
  EXPECT_THAT(request.prompts, ElementsAre(CompletionRequest::Prompt("abc")));
  EXPECT_FALSE(request.model);
  EXPECT_EQ(request.generate.max_tokens, 16u);
  EXPECT_EQ(request.generate.sampling.temperature, 0.5f);
  EXPECT_EQ(request.generate.sampling.top_k, 11u);
  EXPECT_TRUE(request.generate.stop.empty());
  EXPECT_EQ(request.choices, 1u);
  EXPECT_TRUE(request.add_special_tokens);
  EXPECT_TRUE(request.reuse_prefix);
  EXPECT_FALSE(request.has_seed || request.echo || request.stream || request.include_usage ||
               request.likeliest);
}

TEST(CompletionRequest, TakesEveryParameter) {
  const CompletionRequest request = Completion(R"({
    "model": "m", "prompt": ["a", [1, 2]], "max_tokens": 7, "temperature": 0, "top_p": 0.5, "top_k": 3,
    "min_p": 0.25, "repeat_penalty": 1.5, "seed": -1, "stop": ["x", "y"], "n": 2, "best_of": 2, "echo": true,
    "logprobs": 5, "stream": true, "stream_options": {"include_usage": true}, "cache_prompt": false,
    "add_special_tokens": false, "ignore_eos": true, "suffix": null, "logit_bias": {}, "user": "me",
    "presence_penalty": 0, "frequency_penalty": 0.0})");
  EXPECT_EQ(request.model, "m");
  EXPECT_THAT(request.prompts, ElementsAre(CompletionRequest::Prompt("a"),
                                           CompletionRequest::Prompt(std::vector<TokenId>{1, 2})));
  EXPECT_EQ(request.generate.max_tokens, 7u);
  const SamplingOptions& sampling = request.generate.sampling;
  EXPECT_EQ(sampling.temperature, 0);
  EXPECT_EQ(sampling.top_p, 0.5f);
  EXPECT_EQ(sampling.top_k, 3u);
  EXPECT_EQ(sampling.min_p, 0.25f);
  EXPECT_EQ(sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(sampling.seed, UINT64_MAX);
  EXPECT_THAT(request.generate.stop, ElementsAre("x", "y"));
  EXPECT_TRUE(request.generate.ignore_end);
  EXPECT_EQ(request.choices, 2u);
  EXPECT_EQ(request.likeliest, 5u);
  EXPECT_TRUE(request.has_seed && request.echo && request.stream && request.include_usage);
  EXPECT_FALSE(request.reuse_prefix || request.add_special_tokens);
}

TEST(CompletionRequest, PromptsOfEveryForm) {
  using Prompt = CompletionRequest::Prompt;
  using Ids = std::vector<TokenId>;
  EXPECT_THAT(Completion(R"({"prompt": [5, 6]})").prompts, ElementsAre(Prompt(Ids{5, 6})));
  EXPECT_THAT(Completion(R"({"prompt": ["a", "b"]})").prompts, ElementsAre(Prompt("a"), Prompt("b")));
  EXPECT_THAT(Completion(R"({"prompt": [[5], [6, 7]]})").prompts,
              ElementsAre(Prompt(Ids{5}), Prompt(Ids{6, 7})));
  EXPECT_THAT(Completion(R"({"prompt": "a", "stop": "x"})").generate.stop, ElementsAre("x"));
}

TEST(CompletionRequest, RefusesWhatIsWrong) {
  const std::string deep = R"({"prompt": )" + std::string(100'000, '[');
  std::string wide = R"({"prompt": "a")";
  for (int i = 0; i < 1000; ++i) wide += ", \"k" + std::to_string(i) + "\": 1";
  const Refusal refusals[] = {
      {"", "not valid JSON", ""},
      {"{", "not valid JSON", ""},
      {"\xff\xfe", "not valid JSON", ""},
      {R"({"prompt": "\ud800"})", "not valid JSON", ""},
      {R"({"prompt": "a"} x)", "not valid JSON", ""},
      {R"({"prompt": "a", "temperature": 1e999})", "out of range", ""},
      {R"({"prompt": "a", "temperature": NaN})", "not valid JSON", ""},
      {deep, "nested more than 64", ""},
      {wide + "}", "more than 500 members", ""},
      {"[]", "the body is a list, it must be an object", ""},
      {"3", "the body is the number 3", ""},
      {"{}", "'prompt' is missing", "prompt"},
      {R"({"prompt": null})", "'prompt' is missing", "prompt"},
      {R"({"prompt": 3})", "'prompt' is the number 3", "prompt"},
      {R"({"prompt": []})", "not empty", "prompt"},
      {R"({"prompt": [1, "a"]})", "'prompt[1]' is the text 'a', it must be a token id", "prompt[1]"},
      {R"({"prompt": [1, 1.5]})", "'prompt[1]' is the number 1.5", "prompt[1]"},
      {R"({"prompt": [-1]})", "'prompt[0]'", "prompt[0]"},
      {R"({"prompt": [99999999999999999999]})", "'prompt[0]'", "prompt[0]"},
      {R"({"prompt": ["a", 1]})", "'prompt[1]'", "prompt[1]"},
      {R"({"prompt": [[1], [[2]]]})", "'prompt[1][0]'", "prompt[1][0]"},
      {R"({"prompt": "a", "model": 5})", "'model'", "model"},
      {R"({"prompt": "a", "max_tokens": -1})", "a whole number from 0", "max_tokens"},
      {R"({"prompt": "a", "max_tokens": 1.5})", "a whole number", "max_tokens"},
      {R"({"prompt": "a", "max_tokens": "5"})", "a whole number", "max_tokens"},
      {R"({"prompt": "a", "max_tokens": 1e30})", "a whole number", "max_tokens"},
      {R"({"prompt": "a", "temperature": -0.1})", "from 0.0 to 100.0", "temperature"},
      {R"({"prompt": "a", "temperature": true})", "'temperature' is true", "temperature"},
      {R"({"prompt": "a", "top_p": 1.01})", "from 0.0 to 1.0", "top_p"},
      {R"({"prompt": "a", "top_k": -1})", "'top_k'", "top_k"},
      {R"({"prompt": "a", "min_p": 2})", "'min_p'", "min_p"},
      {R"({"prompt": "a", "repeat_penalty": 0})", "'repeat_penalty'", "repeat_penalty"},
      {R"({"prompt": "a", "seed": 1.5})", "'seed'", "seed"},
      {R"({"prompt": "a", "stop": 5})", "'stop'", "stop"},
      {R"({"prompt": "a", "stop": [""]})", "'stop[0]' has 0 bytes", "stop[0]"},
      {R"({"prompt": "a", "stop": ["a",1]})", "'stop[1]'", "stop[1]"},
      {R"({"prompt": "a", "stop": [)" + std::string(16, '0') + "]}", "not valid JSON", ""},
      {R"({"prompt": "a", "n": 0})", "'n'", "n"},
      {R"({"prompt": "a", "n": 65})", "'n'", "n"},
      {R"({"prompt": "a", "best_of": 2})", "none is left out", "best_of"},
      {R"({"prompt": "a", "echo": 1})", "true or false", "echo"},
      {R"({"prompt": "a", "logprobs": 21})", "from 0 to 20", "logprobs"},
      {R"({"prompt": "a", "logprobs": true})", "'logprobs'", "logprobs"},
      {R"({"prompt": "a", "stream": "yes"})", "'stream'", "stream"},
      {R"({"prompt": "a", "stream_options": {}})", "needs 'stream'", "stream_options"},
      {R"({"prompt": "a", "stream": true, "stream_options": {"x": 1}})", "'stream_options.x'",
       "stream_options.x"},
      {R"({"prompt": "a", "suffix": "b"})", "suffix", "suffix"},
      {R"({"prompt": "a", "logit_bias": {"5": 1}})", "cannot bias", "logit_bias"},
      {R"({"prompt": "a", "presence_penalty": 1})", "repeat_penalty", "presence_penalty"},
      {R"({"prompt": "a", "messages": []})", "'messages' is no parameter", "messages"},
      {R"({"prompt": "a", "max_completion_tokens": 4})", "no parameter", "max_completion_tokens"},
  };
  for (const Refusal& refusal : refusals) ExpectRefused(Completion, refusal);
}

TEST(CompletionRequest, RefusesTooMuch) {
  Json body = {{"prompt", Json::array()}};
  for (int i = 0; i < 100; ++i) body["prompt"].push_back("a");
  body["n"] = 30;
  ExpectRefused(Completion, {body.dump(), "more than the 2048 answers", "n"});
  body["n"] = 1;
  for (int i = 0; i < 2000; ++i) body["prompt"].push_back("a");
  ExpectRefused(Completion, {body.dump(), "'prompt' has 2100 prompts", "prompt"});
  body = {{"prompt", "a"}, {"stop", Json::array()}};
  for (int i = 0; i < 17; ++i) body["stop"].push_back("a");
  ExpectRefused(Completion, {body.dump(), "'stop' has 17 texts", "stop"});
  body = {{"prompt", "a"}, {"stop", std::string(1001, 'x')}};
  ExpectRefused(Completion, {body.dump(), "'stop' has 1001 bytes", "stop"});
}

TEST(ChatRequest, TakesEveryParameter) {
  const ChatRequest request = Chat(R"({
    "messages": [{"role": "developer", "content": "S"},
                 {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                 {"role": "assistant", "content": null, "refusal": null, "tool_calls": [{"id": "1"}]},
                 {"role": "tool", "content": "42", "tool_call_id": "1"},
                 {"role": "user", "content": "c", "name": "N"}],
    "max_tokens": 5, "max_completion_tokens": 6, "logprobs": true, "top_logprobs": 3, "n": 2,
    "chat_template_kwargs": {"enable_thinking": false}, "response_format": {"type": "text"}, "tools": [],
    "tool_choice": "none", "store": false, "metadata": {"a": "b"}})");
  ASSERT_EQ(request.messages.size(), 5u);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[1].content, "a\nb");
  EXPECT_TRUE(request.messages[1].fields.is_null());
  EXPECT_EQ(request.messages[2].content, "");
  EXPECT_EQ(request.messages[2].fields, (Json{{"tool_calls", {{{"id", "1"}}}}}));
  EXPECT_EQ(request.messages[3].fields, (Json{{"tool_call_id", "1"}}));
  EXPECT_EQ(request.messages[4].fields, (Json{{"name", "N"}}));
  EXPECT_EQ(request.generate.max_tokens, 6u);
  EXPECT_EQ(request.likeliest, 3u);
  EXPECT_EQ(request.choices, 2u);
  EXPECT_EQ(request.template_variables, (Json{{"enable_thinking", false}}));
}

TEST(ChatRequest, DefaultsAreOpenAis) {
  const ChatRequest request = Chat(R"({"messages": [{"role": "user", "content": "a"}]})");
  EXPECT_EQ(request.generate.max_tokens, kUntilContextIsFull);
  EXPECT_FALSE(request.likeliest);
  EXPECT_EQ(Chat(R"({"messages": [{"role": "user", "content": "a"}], "logprobs": true})").likeliest, 0u);
}

TEST(ChatRequest, RefusesWhatIsWrong) {
  const auto with_message = [](const std::string& message) { return R"({"messages": [)" + message + "]}"; };
  const auto with = [](const std::string& parameter) {
    return R"({"messages": [{"role": "user", "content": "a"}], )" + parameter + "}";
  };
  const Refusal refusals[] = {
      {"{}", "'messages' is missing", "messages"},
      {R"({"messages": []})", "not empty", "messages"},
      {R"({"messages": "hi"})", "'messages'", "messages"},
      {with_message("3"), "'messages[0]' is the number 3", "messages[0]"},
      {with_message(R"({"content": "a"})"), "'messages[0].role' is missing", "messages[0].role"},
      {with_message(R"({"role": "root", "content": "a"})"), "'root'", "messages[0].role"},
      {with_message(R"({"role": ["user"], "content": "a"})"), "'messages[0].role'", "messages[0].role"},
      {with_message(R"({"role": "user", "content": 3})"), "'messages[0].content'", "messages[0].content"},
      {with_message(R"({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]})"),
       "reads nothing else", "messages[0].content[0].type"},
      {with_message(R"({"role": "user", "content": [{"type": "text"}]})"), "missing",
       "messages[0].content[0].text"},
      {with_message(R"({"role": "user", "content": ["a"]})"), "an object", "messages[0].content[0]"},
      {with_message(R"({"role": "user", "content": "a", "weight": 1})"), "no parameter",
       "messages[0].weight"},
      {with_message(R"({"role": "assistant", "audio": {"id": "x"}})"), "null or empty", "messages[0].audio"},
      {with(R"("tools": [{"type": "function"}])"), "calls of tools", "tools"},
      {with(R"("tool_choice": "auto")"), "calls of tools", "tool_choice"},
      {with(R"("response_format": {"type": "json_object"})"), "cannot force a format", "response_format"},
      {with(R"("top_logprobs": 2)"), "needs 'logprobs'", "top_logprobs"},
      {with(R"("logprobs": 2)"), "true or false", "logprobs"},
      {with(R"("echo": true)"), "no parameter", "echo"},
      {with(R"("prompt": "a")"), "no parameter", "prompt"},
      {with(R"("chat_template_kwargs": [1])"), "an object", "chat_template_kwargs"},
      {with(R"("modalities": ["audio"])"), "nothing but text", "modalities"},
      {with(R"("store": true)"), "nothing is stored", "store"},
  };
  for (const Refusal& refusal : refusals) ExpectRefused(Chat, refusal);
}

TEST(TokenRequests, AreChecked) {
  const TokenizeRequest text = ParseTokenizeRequest(R"({"prompt": "a b", "add_special_tokens": false})");
  EXPECT_EQ(text.text, "a b");
  EXPECT_FALSE(text.add_special_tokens);
  EXPECT_THAT(ParseDetokenizeRequest(R"({"tokens": [3, 4]})").tokens, ElementsAre(3, 4));
  EXPECT_TRUE(ParseDetokenizeRequest(R"({"tokens": []})").tokens.empty());
  ExpectRefused(ParseTokenizeRequest, {R"({"prompt": 5})", "'prompt'", "prompt"});
  ExpectRefused(ParseTokenizeRequest, {R"({"text": "a"})", "'prompt' is missing", "prompt"});
  ExpectRefused(ParseDetokenizeRequest, {R"({"tokens": ["a"]})", "'tokens[0]'", "tokens[0]"});
  ExpectRefused(ParseDetokenizeRequest, {R"({"tokens": "a"})", "'tokens'", "tokens"});
}

}  // namespace
}  // namespace addend
