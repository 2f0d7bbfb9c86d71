#include "generate/batch_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <thread>

#include "base/progress.h"
#include "generate/test_support.h"
#include "model/log_probability.h"
#include "model/test_support.h"

namespace addend {
namespace {

using std::chrono::milliseconds;
using test::ByteTokenizer;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr milliseconds kLong{60'000};
constexpr size_t kForever = 4000;  // tokens: longer than any of these tests

struct Answer {
  std::string text;
  std::vector<ScoredToken> prompt_scores, scores;
  AnswerPart end;
};

std::map<size_t, Answer> Collect(BatchAnswers& answers) {
  std::map<size_t, Answer> all;
  while (!answers.done()) {
    std::optional<AnswerPart> part = answers.Next(kLong);
    if (!part) throw Error("nothing came");
    Answer& answer = all[part->index];
    answer.text += part->text;
    std::move(part->prompt_scores.begin(), part->prompt_scores.end(),
              std::back_inserter(answer.prompt_scores));
    std::move(part->scores.begin(), part->scores.end(), std::back_inserter(answer.scores));
    if (part->last()) answer.end = std::move(*part);
  }
  return all;
}

std::vector<TokenId> Text(size_t length, TokenId first) {
  std::vector<TokenId> text(length);
  for (size_t i = 0; i < length; ++i) text[i] = (first + 7 * i) % 256;
  return text;
}

Model LoadTestModel(const std::string& name) {
  return name == "factored" ? test::FactoredTinyModel("llama") : LoadModel(test::TinyModel(name));
}

class BatchEngineTest : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<BatchEngine> Engine(BatchOptions options = {}) {
    return std::make_unique<BatchEngine>(transformer_, tokenizer_, options);
  }

  static BatchRequest Greedy(std::vector<TokenId> prompt, size_t tokens) {
    BatchRequest request{.prompt = std::move(prompt)};
    request.generate.sampling.temperature = 0;
    request.generate.max_tokens = tokens;
    request.generate.ignore_end = true;
    return request;
  }

  Answer AnswerTo(BatchEngine& engine, BatchRequest request) {
    return Collect(*engine.Submit({std::move(request)})).at(0);
  }

  // One that keeps a slot busy; it has written something when this returns.
  std::unique_ptr<BatchAnswers> Occupy(BatchEngine& engine) {
    auto answers = engine.Submit({Greedy(Text(5, 1), kForever)});
    if (!answers->Next(kLong)) throw Error("nothing came");
    return answers;
  }

  const Model model_ = LoadTestModel(GetParam());
  ThreadPool pool_{2};
  Transformer transformer_{model_, pool_};
  const Tokenizer tokenizer_ = ByteTokenizer();
};

INSTANTIATE_TEST_SUITE_P(Models, BatchEngineTest, testing::Values("llama", "gemma2", "factored"));

TEST_P(BatchEngineTest, WritesWhatGreedyGenerationDoes) {
  const auto engine = Engine();
  const std::vector<TokenId> prompt = Text(100, 3);  // more than one part
  const Answer answer = AnswerTo(*engine, Greedy(prompt, 12));
  EXPECT_EQ(answer.text, tokenizer_.Decode(test::Greedy(transformer_, prompt, 12)));
  EXPECT_EQ(answer.end.finish, FinishReason::kMaxTokens);
  EXPECT_EQ(answer.end.written_tokens, 12u);
  EXPECT_EQ(answer.end.statistics.prompt_tokens, 100u);
  EXPECT_EQ(answer.end.statistics.decoded_tokens, 11u);
}

// Bit for bit: texts of different lengths, sampled and greedy, with others that come and go.
TEST_P(BatchEngineTest, AnAnswerDoesNotDependOnTheOthers) {
  std::vector<BatchRequest> requests;
  for (size_t i = 0; i < 12; ++i) {
    BatchRequest request = Greedy(Text(1 + 23 * i, TokenId(i)), 5 + 3 * i);
    request.generate.sampling.temperature = i % 2 == 0 ? 0 : 1.5f;
    request.generate.sampling.seed = i;
    request.scores = ScoreOptions{.likeliest = 3, .prompt = i % 3 == 0};
    request.reuse_prefix = false;
    requests.push_back(request);
  }
  const auto engine = Engine({.slots = 11});
  const std::map<size_t, Answer> together = Collect(*engine->Submit(requests));
  ASSERT_EQ(together.size(), requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    const Answer alone = AnswerTo(*engine, requests[i]);
    const Answer& answer = together.at(i);
    EXPECT_EQ(answer.text, alone.text);
    EXPECT_EQ(answer.end.written_tokens, 5 + 3 * i);
    EXPECT_EQ(answer.prompt_scores.size(), i % 3 == 0 ? 1 + 23 * i : 0);
    ASSERT_EQ(answer.scores.size(), alone.scores.size());
    for (size_t t = 0; t < alone.scores.size(); ++t) {
      EXPECT_EQ(answer.scores[t].id, alone.scores[t].id);
      EXPECT_EQ(answer.scores[t].log_probability, alone.scores[t].log_probability);
    }
  }
}

TEST_P(BatchEngineTest, SeedsTellAnswersApart) {
  BatchRequest request = Greedy(Text(5, 9), 20);
  request.generate.sampling = {.temperature = 1.5f, .seed = 5};
  std::vector<BatchRequest> requests = {request, request, request};
  requests[2].generate.sampling.seed = 6;
  const auto engine = Engine();
  const auto answers = Collect(*engine->Submit(requests));
  EXPECT_EQ(answers.at(0).text, answers.at(1).text);
  EXPECT_NE(answers.at(0).text, answers.at(2).text);
}

TEST_P(BatchEngineTest, ScoresArePlainForwardsLogProbabilities) {
  const std::vector<TokenId> prompt = Text(150, 3);
  BatchRequest request = Greedy(prompt, 1);
  request.scores = ScoreOptions{.likeliest = 4, .prompt = true};
  const auto engine = Engine();
  const Answer answer = AnswerTo(*engine, request);
  ASSERT_EQ(answer.prompt_scores.size(), prompt.size());
  ASSERT_EQ(answer.scores.size(), 1u);
  EXPECT_FALSE(answer.prompt_scores[0].log_probability);
  EXPECT_TRUE(answer.prompt_scores[0].likeliest.empty());

  KvCache cache(model_.config, prompt.size());
  Matrix logits;
  transformer_.Forward(prompt, cache, LogitRows::kAll, logits);
  for (size_t i = 1; i <= prompt.size(); ++i) {
    const ScoredToken& scored = i < prompt.size() ? answer.prompt_scores[i] : answer.scores[0];
    const LogProbabilities expected(logits.Row(i - 1));
    EXPECT_EQ(scored.id, i < prompt.size() ? prompt[i] : expected.MostLikely());
    EXPECT_NEAR(*scored.log_probability, expected[scored.id], 1e-3);
    ASSERT_EQ(scored.likeliest.size(), 4u);
    for (size_t k = 0; k < 4; ++k) {
      const TokenChance& chance = scored.likeliest[k];
      EXPECT_NEAR(chance.log_probability, expected[chance.id], 1e-3);
      if (k > 0) {
        EXPECT_GE(scored.likeliest[k - 1].log_probability, chance.log_probability);
      }
      if (chance.id == scored.id) {
        EXPECT_EQ(chance.log_probability, *scored.log_probability);
      }
    }
  }
}

TEST_P(BatchEngineTest, OnlyReading) {
  BatchRequest request = Greedy(Text(70, 3), 0);
  request.scores = ScoreOptions{.likeliest = 1, .prompt = true};
  const auto engine = Engine();
  const Answer answer = AnswerTo(*engine, request);
  EXPECT_EQ(answer.prompt_scores.size(), 70u);
  EXPECT_TRUE(answer.scores.empty());
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(answer.end.finish, FinishReason::kMaxTokens);
}

TEST_P(BatchEngineTest, AFullContextEndsAnswers) {
  const auto engine = Engine({.slots = 2, .context = 64});
  const Answer answer = AnswerTo(*engine, Greedy(Text(5, 3), kUntilContextIsFull));
  EXPECT_EQ(answer.end.finish, FinishReason::kContextFull);
  EXPECT_EQ(answer.end.written_tokens, 60u);  // the last one needs no room any more
}

TEST_P(BatchEngineTest, PromptsThatBeginAlikeReuse) {
  const auto engine = Engine({.slots = 2});
  std::vector<TokenId> prompt = Text(90, 3);
  AnswerTo(*engine, Greedy(prompt, 4));
  prompt.push_back(9);
  const Answer again = AnswerTo(*engine, Greedy(prompt, 4));
  EXPECT_EQ(again.end.statistics.reused_tokens, 90u);
  EXPECT_EQ(again.text, tokenizer_.Decode(test::Greedy(transformer_, prompt, 4)));

  BatchRequest fresh = Greedy(prompt, 4);
  fresh.reuse_prefix = false;
  EXPECT_EQ(AnswerTo(*engine, fresh).end.statistics.reused_tokens, 0u);
}

// Of several equal prompts one is read; a busy slot's tokens are copied.
TEST_P(BatchEngineTest, SlotsCopyFromEachOther) {
  const auto engine = Engine({.slots = 3});
  const BatchRequest request = Greedy(Text(200, 3), 6);
  const auto answers = Collect(*engine->Submit({request, request, request}));
  EXPECT_EQ(answers.at(0).end.statistics.reused_tokens, 0u);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(answers.at(i).end.statistics.reused_tokens, 199u);
    EXPECT_EQ(answers.at(i).text, answers.at(0).text);
  }
  const BatchCounters counters = test::IdleStatistics(*engine).counters;
  EXPECT_EQ(counters.prompt_tokens, 202u);
  EXPECT_EQ(counters.reused_tokens, 398u);
}

TEST_P(BatchEngineTest, RefusesWhenTheQueueIsFull) {
  const auto engine = Engine({.slots = 1, .context = 2 * kForever, .queue = 1});
  const auto running = Occupy(*engine);
  auto waiting = engine->Submit({Greedy(Text(4, 2), 2), Greedy(Text(4, 3), 2)});  // a group takes one place
  EXPECT_THAT([&] { engine->Submit({Greedy(Text(4, 2), 2)}); },
              ThrowsMessage<QueueFull>(HasSubstr("all 1 slots are in use and 1 requests wait")));
  const BatchStatistics statistics = engine->Statistics();
  EXPECT_EQ(statistics.running, 1u);
  EXPECT_EQ(statistics.waiting, 1u);
  EXPECT_EQ(statistics.refused, 1u);
  EXPECT_EQ(statistics.accepted, 2u);
}

TEST_P(BatchEngineTest, CancelledAnswersMakeRoom) {
  const auto engine = Engine({.slots = 1, .context = 2 * kForever, .queue = 1});
  auto running = Occupy(*engine);
  auto waiting = engine->Submit({Greedy(Text(4, 2), 2)});
  waiting.reset();
  running.reset();
  EXPECT_EQ(AnswerTo(*engine, Greedy(Text(4, 2), 2)).end.written_tokens, 2u);
  EXPECT_EQ(test::IdleStatistics(*engine).counters.cancelled, 1u);
}

TEST_P(BatchEngineTest, GroupsTakeTurns) {
  const auto engine = Engine({.slots = 1, .context = 2 * kForever});
  auto first = Occupy(*engine);
  auto many = engine->Submit({Greedy(Text(4, 2), 1), Greedy(Text(4, 3), kForever)});
  auto one = engine->Submit({Greedy(Text(4, 4), 1)});
  first.reset();
  EXPECT_EQ(Collect(*one).at(0).end.written_tokens, 1u);  // before the second of `many`, which takes forever
}

TEST_P(BatchEngineTest, RefusesWhatCannotBeAnswered) {
  const auto engine = Engine({.slots = 1, .context = 16});
  const auto refuses = [&](BatchRequest request, const char* why) {
    EXPECT_THAT([&] { engine->Submit({Greedy({1}, 1), request}); }, ThrowsMessage<Error>(HasSubstr(why)));
  };
  refuses(Greedy({}, 1), "the prompt is empty");
  refuses(Greedy(Text(17, 1), 1), "17 tokens, the context holds 16");
  refuses(Greedy({1, 100'000}, 1), "100000");
  BatchRequest hot = Greedy({1}, 1);
  hot.generate.sampling.temperature = std::numeric_limits<float>::quiet_NaN();
  refuses(hot, "temperature");
  EXPECT_EQ(engine->Statistics().accepted, 0u);
  EXPECT_TRUE(engine->Submit({})->done());
}

TEST_P(BatchEngineTest, StopsGracefully) {
  auto engine = Engine({.slots = 2, .context = 2 * kForever});
  auto forever = Occupy(*engine);
  auto brief = engine->Submit({Greedy(Text(4, 2), 3)});
  EXPECT_EQ(Collect(*brief).at(0).end.finish, FinishReason::kMaxTokens);
  auto queued = engine->Submit({Greedy(Text(4, 2), kForever), Greedy(Text(4, 2), 2)});
  engine->Stop(milliseconds(1));
  EXPECT_EQ(Collect(*forever).at(0).end.finish, FinishReason::kInterrupted);
  const auto ends = Collect(*queued);
  EXPECT_EQ(ends.at(0).end.finish, FinishReason::kInterrupted);
  EXPECT_EQ(ends.at(1).end.finish, FinishReason::kInterrupted);
  EXPECT_THROW(engine->Submit({Greedy({1}, 1)}), ShuttingDown);
}

TEST_P(BatchEngineTest, StoppingWaitsForAnswers) {
  auto engine = Engine();
  auto answers = engine->Submit({Greedy(Text(4, 2), 100)});
  engine->Stop(kLong);
  EXPECT_EQ(Collect(*answers).at(0).end.finish, FinishReason::kMaxTokens);
}

TEST_P(BatchEngineTest, AnIdleEngineUsesNoCpu) {
  const auto engine = Engine();
  AnswerTo(*engine, Greedy(Text(4, 2), 3));
  std::this_thread::sleep_for(milliseconds(50));  // the pool's threads fall asleep
  const double before = CpuSeconds();
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_LT(CpuSeconds() - before, 0.1);
}

TEST(BatchEngineErrors, BrokenNumbersEndOnlyTheirAnswer) {
  Model model = LoadModel(test::TinyModel("llama"));
  const Tokenizer tokenizer = ByteTokenizer();
  Matrix embedding = model.embedding.ToDense();
  std::ranges::fill(embedding.Row(77), std::numeric_limits<float>::infinity());
  model.embedding.weight = StoredMatrix::FromFloats(embedding, DType::kF32);
  ThreadPool pool(1);
  Transformer transformer(model, pool);
  BatchEngine engine(transformer, tokenizer, {});

  BatchRequest good{.prompt = {1, 2, 3}};
  good.generate.max_tokens = 3;
  good.generate.sampling.temperature = 0;
  BatchRequest bad = good;
  bad.prompt = {1, 77};
  BatchRequest bad_scores = bad;
  bad_scores.prompt = {77, 1};
  bad_scores.scores = ScoreOptions{.prompt = true};
  auto good_answer = engine.Submit({good});
  auto bad_answer = engine.Submit({bad});
  auto bad_score = engine.Submit({bad_scores});
  EXPECT_THAT([&] { Collect(*bad_answer); }, ThrowsMessage<Error>(HasSubstr("logit of token")));
  EXPECT_THAT([&] { Collect(*bad_score); }, ThrowsMessage<Error>(HasSubstr("logit of token")));
  EXPECT_EQ(Collect(*good_answer).at(0).end.finish, FinishReason::kMaxTokens);
  EXPECT_EQ(test::IdleStatistics(engine).counters.failed, 2u);
}

}  // namespace
}  // namespace addend
