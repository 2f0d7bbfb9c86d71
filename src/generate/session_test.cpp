#include "generate/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "base/error.h"
#include "base/interrupt.h"
#include "generate/test_support.h"
#include "support.h"

namespace addend {
namespace {

using test::ByteTokenizer;
using testing::HasSubstr;
using testing::ThrowsMessage;

class SessionTest : public testing::Test {
 protected:
  SessionTest() { options_.sampling.temperature = 0; }

  std::vector<TokenId> Greedy(std::vector<TokenId> text, size_t count) {
    return test::Greedy(transformer_, std::move(text), count);
  }

  const Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  ThreadPool pool_{1};
  Transformer transformer_{model_, pool_};
  const Tokenizer tokenizer_ = ByteTokenizer();
  Session session_{transformer_, tokenizer_, 64};
  const std::vector<TokenId> prompt_ = {72, 101, 108, 108, 111};
  GenerateOptions options_;
};

TEST_F(SessionTest, GeneratesGreedilyUpToTheLimit) {
  options_.max_tokens = 12;
  std::string streamed;
  const Generation result = session_.Generate(prompt_, options_, [&](std::string_view piece) {
    EXPECT_FALSE(piece.empty());
    streamed += piece;
    return true;
  });
  EXPECT_EQ(result.tokens, Greedy(prompt_, 12));
  EXPECT_EQ(result.finish, FinishReason::kMaxTokens);
  EXPECT_EQ(result.text, streamed);
  EXPECT_EQ(result.text, tokenizer_.Decode(result.tokens));
  EXPECT_EQ(result.statistics.prompt_tokens, 5u);
  EXPECT_EQ(result.statistics.reused_tokens, 0u);
  EXPECT_EQ(result.statistics.decoded_tokens, 11u);
  EXPECT_GT(result.statistics.PromptTokensPerSecond(), 0);
  EXPECT_GT(result.statistics.DecodeTokensPerSecond(), 0);
}

TEST_F(SessionTest, EndTokensEndTheText) {
  const std::vector<TokenId> free_run = Greedy(prompt_, 8);
  const Tokenizer tokenizer = ByteTokenizer(free_run[5]);
  Session session(transformer_, tokenizer, 64);
  const auto first = std::find(free_run.begin(), free_run.end(), free_run[5]);
  const Generation result = session.Generate(prompt_, options_);
  EXPECT_EQ(result.finish, FinishReason::kEndToken);
  EXPECT_EQ(result.tokens, std::vector<TokenId>(free_run.begin(), first + 1));
  EXPECT_EQ(result.text, tokenizer_.Decode(std::span(free_run).first(first - free_run.begin())));

  options_.ignore_end = true;
  options_.max_tokens = 8;
  EXPECT_EQ(session.Generate(prompt_, options_).tokens, free_run);
}

TEST_F(SessionTest, StopStringsEndTheText) {
  options_.max_tokens = 12;
  const std::string free_text = session_.Generate(prompt_, options_).text;
  ASSERT_GE(free_text.size(), 8u);
  options_.stop = {free_text.substr(5, 3)};
  const Generation result = session_.Generate(prompt_, options_);
  EXPECT_EQ(result.finish, FinishReason::kStopString);
  EXPECT_EQ(result.text, free_text.substr(0, free_text.find(options_.stop[0])));
}

TEST_F(SessionTest, AFullContextEndsTheText) {
  const Generation result = session_.Generate(prompt_, options_);
  EXPECT_EQ(result.finish, FinishReason::kContextFull);
  EXPECT_EQ(result.tokens.size(), 64u - 5 + 1);  // the last one needs no room any more
  const std::vector<TokenId> full(64, 1), too_long(65, 1);
  EXPECT_EQ(session_.Generate(full, options_).tokens.size(), 1u);
  EXPECT_THAT([&] { session_.Generate(too_long, options_); },
              ThrowsMessage<Error>(HasSubstr("the prompt has 65 tokens, the context holds 64")));
  EXPECT_THAT([&] { session_.Generate({}, options_); }, ThrowsMessage<Error>(HasSubstr("empty")));
}

TEST_F(SessionTest, NoTokensMeansOnlyReading) {
  options_.max_tokens = 0;
  const Generation read = session_.Generate(prompt_, options_);
  EXPECT_TRUE(read.tokens.empty());
  EXPECT_EQ(read.finish, FinishReason::kMaxTokens);
  EXPECT_EQ(read.statistics.prompt_tokens, 5u);
  options_.max_tokens = 2;
  const Generation written = session_.Generate(prompt_, options_);
  EXPECT_EQ(written.statistics.reused_tokens, 4u);
  EXPECT_EQ(written.tokens, Greedy(prompt_, 2));
}

TEST_F(SessionTest, ReusesWhatPromptsHaveInCommon) {
  options_.max_tokens = 6;
  const Generation first = session_.Generate(prompt_, options_);
  std::vector<TokenId> longer = prompt_;
  longer.insert(longer.end(), first.tokens.begin(), first.tokens.end());
  longer.push_back(33);
  const Generation second = session_.Generate(longer, options_);
  EXPECT_EQ(second.statistics.prompt_tokens, 12u);
  EXPECT_EQ(second.statistics.reused_tokens, 10u);  // the last generated token has not been through the model
  EXPECT_EQ(second.tokens, Greedy(longer, 6));

  // The same prompt again still has to give logits; another one shares only its start.
  EXPECT_EQ(session_.Generate(longer, options_).tokens, second.tokens);
  longer[3] = 9;
  const Generation other = session_.Generate(longer, options_);
  EXPECT_EQ(other.statistics.reused_tokens, 3u);
  EXPECT_EQ(other.tokens, Greedy(longer, 6));
}

TEST_F(SessionTest, SeedsGiveTheSameTextAgain) {
  options_.max_tokens = 20;
  options_.sampling = {.temperature = 1.5f, .seed = 5};
  const Generation first = session_.Generate(prompt_, options_);
  EXPECT_EQ(session_.Generate(prompt_, options_).tokens, first.tokens);
  options_.sampling.seed = 6;
  EXPECT_NE(session_.Generate(prompt_, options_).tokens, first.tokens);
}

TEST_F(SessionTest, TheSinkCanStop) {
  int pieces = 0;
  const Generation result =
      session_.Generate(prompt_, options_, [&](std::string_view) { return ++pieces < 3; });
  EXPECT_EQ(result.finish, FinishReason::kInterrupted);
  EXPECT_EQ(pieces, 3);
}

TEST_F(SessionTest, AnInterruptKeepsWhatWasGenerated) {
  CatchInterrupts();
  const Generation result = session_.Generate(prompt_, options_, [&](std::string_view) {
    std::raise(SIGINT);
    return true;
  });
  EXPECT_EQ(result.finish, FinishReason::kInterrupted);
  EXPECT_FALSE(result.text.empty());
  EXPECT_EQ(session_.Generate(prompt_, options_).tokens.size(), 0u);  // before the prompt
  ClearInterrupt();
  options_.max_tokens = 3;
  EXPECT_EQ(session_.Generate(prompt_, options_).tokens, Greedy(prompt_, 3));
}

}  // namespace
}  // namespace addend
