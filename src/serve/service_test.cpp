#include "serve/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "generate/test_support.h"
#include "model/log_probability.h"
#include "serve/api_error.h"
#include "support.h"

namespace addend {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

bool NeverGone() {
  return false;
}

class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(BatchOptions batch = {.context = 512}, milliseconds patience = milliseconds(60'000))
      : engine_(transformer_, tokenizer_, batch),
        service_(engine_, tokenizer_,
                 {.model_name = "tiny",
                  .context = batch.context,
                  .vocabulary = model_.config.vocabulary,
                  .patience = patience,
                  .chat = ChatPrompt(tokenizer_, "chatml")}) {}

  Json Complete(const Json& body) {
    return ParseJson(service_.Complete(body.dump(), NeverGone).body, "reply");
  }
  Json Chat(const Json& body) { return ParseJson(service_.Chat(body.dump(), NeverGone).body, "reply"); }

  // The events of a stream, without the last, which must be [DONE].
  static std::vector<Json> Events(const Reply& reply) {
    std::string sent;
    reply.stream([&](std::string_view piece) {
      sent += piece;
      return true;
    });
    std::vector<Json> events;
    while (!sent.empty()) {
      const size_t end = sent.find("\n\n");
      EXPECT_EQ(sent.substr(0, 6), "data: ");
      const std::string event = sent.substr(6, end - 6);
      sent.erase(0, end + 2);
      if (event != "[DONE]") events.push_back(ParseJson(event, "event"));
      EXPECT_EQ(event == "[DONE]", sent.empty());
    }
    return events;
  }

  template <typename Call>
  static ApiError Refusal(Call&& call) {
    try {
      call();
    } catch (const ApiError& error) {
      return error;
    }
    throw Error("was not refused");
  }

  const Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  ThreadPool pool_{1};
  Transformer transformer_{model_, pool_};
  const Tokenizer tokenizer_ = test::ByteTokenizer();
  BatchEngine engine_;
  Service service_;
  const Json greedy_ = {{"prompt", "Hello"}, {"max_tokens", 8}, {"temperature", 0}, {"ignore_eos", true}};
  const std::vector<TokenId> hello_ = {72, 101, 108, 108, 111};
};

TEST_F(ServiceTest, Completions) {
  const Json reply = Complete(greedy_);
  EXPECT_EQ(reply["object"], "text_completion");
  EXPECT_EQ(reply["model"], "tiny");
  ASSERT_EQ(reply["choices"].size(), 1u);
  EXPECT_EQ(reply["choices"][0]["text"], tokenizer_.Decode(test::Greedy(transformer_, hello_, 8)));
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(reply["choices"][0]["logprobs"], nullptr);
  EXPECT_EQ(reply["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(reply["usage"]["completion_tokens"], 8);
  EXPECT_EQ(reply["usage"]["total_tokens"], 13);
}

TEST_F(ServiceTest, PromptsAndChoicesAreCounted) {
  Json body = greedy_;
  body["prompt"] = {{72, 101}, {72, 101, 108, 108, 111}};
  body["n"] = 2;
  const Json reply = Complete(body);
  ASSERT_EQ(reply["choices"].size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reply["choices"][i]["index"], i);
  EXPECT_EQ(reply["choices"][0]["text"], reply["choices"][1]["text"]);
  EXPECT_EQ(reply["choices"][2]["text"], Complete(greedy_)["choices"][0]["text"]);
  EXPECT_EQ(reply["usage"]["prompt_tokens"], 7);
  EXPECT_EQ(reply["usage"]["completion_tokens"], 32);
}

TEST_F(ServiceTest, StopStringsGiveStop) {
  Json body = greedy_;
  body["temperature"] = 2;
  body["seed"] = 1;
  body["max_tokens"] = 60;
  const std::string text = Complete(body)["choices"][0]["text"];
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  const auto stop = std::find_if(text.begin() + 20, text.end(), is_ascii);
  ASSERT_NE(stop, text.end());
  body["stop"] = std::string(1, *stop);
  const Json choice = Complete(body)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["text"], text.substr(0, text.find(*stop)));
}

// What lm-evaluation-harness asks.
TEST_F(ServiceTest, EchoedLogProbabilitiesAreAPlainForwards) {
  for (const size_t written : {1, 0}) {
    const Json reply = Complete({{"prompt", {{72, 101, 108, 108, 111}, {200, 201, 202}}},
                                 {"max_tokens", written},
                                 {"temperature", 0},
                                 {"logprobs", 1},
                                 {"echo", true},
                                 {"seed", 1234}});
    ASSERT_EQ(reply["choices"].size(), 2u);
    const Json& logprobs = reply["choices"][0]["logprobs"];
    for (const char* list : {"tokens", "token_logprobs", "top_logprobs", "text_offset"})
      ASSERT_EQ(logprobs[list].size(), 5 + written) << list;
    EXPECT_EQ(logprobs["token_logprobs"][0], nullptr);
    EXPECT_EQ(logprobs["top_logprobs"][0], nullptr);

    KvCache cache(model_.config, 5);
    Matrix logits;
    transformer_.Forward(hello_, cache, LogitRows::kAll, logits);
    for (size_t i = 1; i < 5 + written; ++i) {
      const LogProbabilities expected(logits.Row(i - 1));
      const TokenId id = i < 5 ? hello_[i] : static_cast<TokenId>(expected.MostLikely());
      EXPECT_NEAR(logprobs["token_logprobs"][i].get<double>(), expected[id], 1e-4);
      const Json& top = logprobs["top_logprobs"][i];
      double most = -INFINITY;
      for (const auto& [token, value] : top.items()) most = std::max(most, value.get<double>());
      EXPECT_NEAR(most, expected[expected.MostLikely()], 1e-4);
      EXPECT_LE(top.size(), 2u);
    }
    if (written == 0) {
      EXPECT_EQ(reply["choices"][0]["text"], "Hello");
    }
    EXPECT_EQ(logprobs["tokens"][1], "e");
    EXPECT_EQ(logprobs["text_offset"][4], 4);
    EXPECT_EQ(reply["choices"][1]["logprobs"]["tokens"][0], "\uFFFD");  // a part of a character
  }
}

TEST_F(ServiceTest, StreamsAreTheWholeInPieces) {
  Json body = greedy_;
  body["echo"] = true;
  body["logprobs"] = 2;
  body["n"] = 2;
  const Json whole = Complete(body);
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const Reply reply = service_.Complete(body.dump(), NeverGone);
  EXPECT_EQ(reply.content_type, "text/event-stream");
  std::vector<Json> events = Events(reply);
  ASSERT_GE(events.size(), 5u);
  EXPECT_EQ(events.back()["choices"].size(), 0u);
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], 16);
  events.pop_back();

  for (int index : {0, 1}) {
    std::string text;
    Json logprobs = {{"token_logprobs", Json::array()}, {"text_offset", Json::array()}};
    Json finish;
    for (const Json& event : events) {
      EXPECT_EQ(event["usage"], nullptr);
      const Json& choice = event["choices"][0];
      if (choice["index"] != index) continue;
      EXPECT_EQ(finish, nullptr);
      text += choice["text"].get<std::string>();
      finish = choice["finish_reason"];
      for (auto& [name, values] : logprobs.items()) {
        if (choice["logprobs"].is_null()) continue;
        for (const Json& value : choice["logprobs"][name]) values.push_back(value);
      }
    }
    EXPECT_EQ(whole["choices"][index]["text"], text);
    EXPECT_EQ(finish, "length");
    for (auto& [name, values] : logprobs.items())
      EXPECT_EQ(values.size(), whole["choices"][index]["logprobs"][name].size()) << name;
    EXPECT_EQ(logprobs["text_offset"], whole["choices"][index]["logprobs"]["text_offset"]);
  }
}

TEST_F(ServiceTest, Chats) {
  Json body = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}},
               {"max_completion_tokens", 5},
               {"temperature", 0},
               {"ignore_eos", true},
               {"logprobs", true},
               {"top_logprobs", 2}};
  const Json whole = Chat(body);
  EXPECT_EQ(whole["object"], "chat.completion");
  const Json& choice = whole["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  const std::string prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const std::string answer = tokenizer_.Decode(test::Greedy(transformer_, tokenizer_.Encode(prompt), 5));
  EXPECT_EQ(choice["message"]["content"], answer);
  EXPECT_EQ(whole["usage"]["prompt_tokens"], prompt.size());
  ASSERT_EQ(choice["logprobs"]["content"].size(), 5u);
  const Json& token = choice["logprobs"]["content"][0];
  EXPECT_LE(token["logprob"].get<double>(), 0);
  EXPECT_EQ(token["bytes"].size(), 1u);
  ASSERT_EQ(token["top_logprobs"].size(), 2u);
  EXPECT_EQ(token["top_logprobs"][0]["logprob"], token["logprob"]);  // greedy

  body["stream"] = true;
  const std::vector<Json> events = Events(service_.Chat(body.dump(), NeverGone));
  EXPECT_EQ(events[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  std::string streamed;
  for (const Json& event : events) streamed += event["choices"][0]["delta"].value("content", "");
  EXPECT_EQ(streamed, answer);
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "length");
}

TEST_F(ServiceTest, RefusesWithTheRightStatus) {
  Json body = greedy_;
  body["model"] = "gpt-4";
  const ApiError unknown = Refusal([&] { Complete(body); });
  EXPECT_EQ(unknown.status(), 404);
  EXPECT_EQ(unknown.ToJson()["error"]["code"], "model_not_found");
  EXPECT_THAT(unknown.what(), HasSubstr("'tiny'"));

  body = greedy_;
  body["prompt"] = std::string(600, 'x');
  const ApiError too_long = Refusal([&] { Complete(body); });
  EXPECT_EQ(too_long.status(), 400);
  EXPECT_EQ(too_long.ToJson()["error"]["code"], "context_length_exceeded");

  body["prompt"] = "";
  EXPECT_THAT(Refusal([&] { Complete(body); }).what(), HasSubstr("the prompt is empty"));
  body["prompt"] = {5, 1'000'000};
  EXPECT_THAT(Refusal([&] { Complete(body); }).what(), HasSubstr("1000000"));
}

TEST_F(ServiceTest, TokensAndText) {
  const Json tokens = ParseJson(service_.Tokenize(R"({"prompt": "Hello"})").body, "reply");
  EXPECT_EQ(tokens["tokens"], Json(hello_));
  EXPECT_EQ(tokens["count"], 5);
  EXPECT_EQ(tokens["max_model_len"], 512);
  EXPECT_EQ(ParseJson(service_.Detokenize(R"({"tokens": [72, 101]})").body, "reply")["prompt"], "He");
  EXPECT_EQ(Refusal([&] { service_.Detokenize(R"({"tokens": [320]})"); }).status(), 400);
  const Json info = ParseJson(service_.TokenizerInfo().body, "reply");
  EXPECT_EQ(info["eos_token"], tokenizer_.Piece(test::kNoEnd));
  EXPECT_EQ(info["bos_token"], nullptr);
}

TEST_F(ServiceTest, TellsAboutItself) {
  Complete(greedy_);
  EXPECT_EQ(ParseJson(service_.Models().body, "reply")["data"][0]["id"], "tiny");
  EXPECT_EQ(ParseJson(service_.Health().body, "reply")["status"], "ok");
  test::IdleStatistics(engine_);
  const std::string metrics = service_.Metrics().body;
  EXPECT_THAT(metrics, HasSubstr("\naddend_written_tokens_total 8\n"));
  EXPECT_THAT(metrics, HasSubstr("# TYPE addend_slots gauge\naddend_slots 4\n"));
  engine_.Stop(milliseconds(0));
  EXPECT_EQ(Refusal([&] { service_.Health(); }).status(), 503);
  EXPECT_EQ(Refusal([&] { Complete(greedy_); }).status(), 503);
}

class SmallServiceTest : public ServiceTest {
 protected:
  SmallServiceTest() : ServiceTest({.slots = 1, .context = 100'000, .queue = 0}) {}
};

TEST_F(SmallServiceTest, QueueFullAndClientsThatLeave) {
  Json body = greedy_;
  body["max_tokens"] = 90'000;
  std::thread client([&] {
    EXPECT_THROW(service_.Complete(body.dump(), [&] { return engine_.Statistics().refused > 0; }),
                 ClientLeft);
  });
  while (engine_.Statistics().running == 0) std::this_thread::sleep_for(milliseconds(1));
  const ApiError full = Refusal([&] { Complete(greedy_); });
  EXPECT_EQ(full.status(), 429);
  client.join();
  test::IdleStatistics(engine_);
  EXPECT_EQ(Complete(greedy_)["usage"]["completion_tokens"], 8);

  test::IdleStatistics(engine_);  // an answer is there a moment before its slot is free
  body["stream"] = true;
  int sent = 0;
  service_.Complete(body.dump(), NeverGone).stream([&](std::string_view) { return ++sent < 3; });
  EXPECT_EQ(sent, 3);
  EXPECT_EQ(test::IdleStatistics(engine_).counters.cancelled, 2u);
}

class HastyServiceTest : public ServiceTest {
 protected:
  HastyServiceTest() : ServiceTest({.context = 100'000}, milliseconds(300)) {}
};

TEST_F(HastyServiceTest, AnswersThatTakeTooLongEnd) {
  Json body = greedy_;
  body["max_tokens"] = 90'000;
  EXPECT_EQ(Refusal([&] { Complete(body); }).status(), 504);
  body["stream"] = true;
  std::string sent;
  service_.Complete(body.dump(), NeverGone).stream([&](std::string_view piece) {
    sent = piece;
    return true;
  });
  EXPECT_THAT(sent, HasSubstr(R"("code":"timeout")"));
}

}  // namespace
}  // namespace addend
