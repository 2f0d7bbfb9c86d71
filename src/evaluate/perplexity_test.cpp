#include "evaluate/perplexity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/random.h"
#include "model/log_probability.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class PerplexityTest : public testing::Test {
 protected:
  PerplexityTest() {
    Rng rng(3);
    for (TokenId& token : tokens_) token = static_cast<TokenId>(rng.Below(model_.config.vocabulary));
  }

  // The definition: every window of its own, one prediction after the other.
  double MeanNll(size_t window, size_t from, std::optional<TokenId> first = {}, size_t windows = ~size_t{0}) {
    double sum = 0;
    size_t count = 0;
    for (size_t w = 0; w < std::min(windows, tokens_.size() / window); ++w) {
      std::vector<TokenId> text(tokens_.begin() + w * window, tokens_.begin() + (w + 1) * window);
      if (first) text[0] = *first;
      KvCache cache(model_.config, window);
      Matrix logits;
      transformer_.Forward(text, cache, LogitRows::kAll, logits);
      for (size_t t = from; t < window; ++t, ++count) sum -= LogProbabilities(logits.Row(t - 1))[text[t]];
    }
    return sum / static_cast<double>(count);
  }

  Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  ThreadPool pool_{2};
  Transformer transformer_{model_, pool_};
  std::vector<TokenId> tokens_ = std::vector<TokenId>(1000);
};

// Windows of one batch and of many, even and odd; the last part of a text is left out.
TEST_F(PerplexityTest, BothProtocolsFollowTheirDefinition) {
  for (const size_t window : {2, 7, 100, 333, 700}) {
    SCOPED_TRACE(window);
    const PerplexityResult result = Perplexity(transformer_, tokens_, {.window = window}, {});
    const size_t windows = 1000 / window;
    EXPECT_EQ(result.windows, windows);
    EXPECT_EQ(result.hf.negative_log_likelihood.count(), windows * (window - 1));
    EXPECT_EQ(result.llama_cpp.negative_log_likelihood.count(), windows * (window - window / 2));
    EXPECT_NEAR(result.hf.negative_log_likelihood.mean(), MeanNll(window, 1), 1e-5);
    EXPECT_NEAR(result.llama_cpp.negative_log_likelihood.mean(), MeanNll(window, window / 2), 1e-5);
    EXPECT_DOUBLE_EQ(result.hf.Perplexity(), std::exp(result.hf.negative_log_likelihood.mean()));
  }
}

TEST_F(PerplexityTest, BosReplacesTheFirstTokenForLlamaCppOnly) {
  const PerplexityResult result = Perplexity(transformer_, tokens_, {.window = 50, .bos = 1}, {});
  EXPECT_NEAR(result.hf.negative_log_likelihood.mean(), MeanNll(50, 1), 1e-5);
  EXPECT_NEAR(result.llama_cpp.negative_log_likelihood.mean(), MeanNll(50, 25, 1), 1e-5);
  EXPECT_GT(std::abs(MeanNll(50, 25, 1) - MeanNll(50, 25)), 1e-4);  // the test can tell
}

TEST_F(PerplexityTest, TokensCanBeLimited) {
  const PerplexityResult result = Perplexity(transformer_, tokens_, {.window = 100, .max_tokens = 399}, {});
  EXPECT_EQ(result.windows, 3u);
  EXPECT_NEAR(result.hf.negative_log_likelihood.mean(), MeanNll(100, 1, {}, 3), 1e-5);
}

TEST_F(PerplexityTest, ReportsProgress) {
  std::vector<ProgressUpdate> updates;
  Perplexity(transformer_, tokens_, {.window = 100, .bos = 1},
             [&](const ProgressUpdate& update) { updates.push_back(update); });
  ASSERT_FALSE(updates.empty());
  EXPECT_EQ(updates.back().done, 2000);  // two passes: with and without BOS
  EXPECT_EQ(updates.back().total, 2000);
  EXPECT_THAT(updates.back().note, HasSubstr("perplexity"));
}

TEST_F(PerplexityTest, RefusesTextsAndWindowsThatAreTooShort) {
  const std::span few = std::span(tokens_).first(9);
  EXPECT_THAT([&] { Perplexity(transformer_, few, {.window = 10}, {}); },
              ThrowsMessage<Error>(HasSubstr("the text has 9 tokens, a window needs 10")));
  EXPECT_THAT([&] { Perplexity(transformer_, few, {.window = 1}, {}); },
              ThrowsMessage<Error>(HasSubstr("at least 2")));
}

TEST_F(PerplexityTest, BrokenModelsAreAnErrorWithAPosition) {
  // The token that stands at position 130 alone has a broken embedding: the third prediction of the second
  // window.
  std::fill(tokens_.begin(), tokens_.end(), 5);
  tokens_[128] = 6;
  Matrix embedding = model_.embedding.ToDense();
  embedding(6, 0) = std::numeric_limits<float>::quiet_NaN();
  Model broken = model_;
  broken.head = broken.HeadMatrix();
  broken.embedding.weight = StoredMatrix::FromFloats(embedding, DType::kF32);
  Transformer transformer(broken, pool_);
  EXPECT_THAT([&] { Perplexity(transformer, tokens_, {.window = 128}, {}); },
              ThrowsMessage<Error>(HasSubstr(
                  "model of position 1 in window 1 (token 129 of the text) is not a finite number")));
  const auto compare = [&](Transformer& reference, Transformer& other) {
    Divergence(reference, other, tokens_, {.window = 128}, {});
  };
  EXPECT_THAT([&] { compare(transformer_, transformer); },
              ThrowsMessage<Error>(HasSubstr("by the model of position 1")));
  EXPECT_THAT([&] { compare(transformer, transformer_); },
              ThrowsMessage<Error>(HasSubstr("by the reference of position 1")));
}

TEST_F(PerplexityTest, DivergenceFromItselfIsZero) {
  const DivergenceResult result = Divergence(transformer_, transformer_, tokens_, {.window = 100}, {});
  EXPECT_EQ(result.hf.kl.mean(), 0);
  EXPECT_EQ(result.llama_cpp.same_top.mean(), 1);
  EXPECT_EQ(result.hf.kl.count(), 990u);
}

TEST_F(PerplexityTest, DivergenceFollowsItsDefinition) {
  const Model other = LoadModel(test::GoldenPath("tiny_models") / "llama3-rope");
  Transformer other_transformer(other, pool_);
  const std::span text = std::span(tokens_).first(150);
  const DivergenceResult result = Divergence(transformer_, other_transformer, text, {.window = 150}, {});

  KvCache cache(model_.config, 150), other_cache(other.config, 150);
  Matrix p, q;
  transformer_.Forward(text, cache, LogitRows::kAll, p);
  other_transformer.Forward(text, other_cache, LogitRows::kAll, q);
  double kl = 0, same = 0, log_ratio = 0, largest = 0;
  for (size_t t = 75; t < 150; ++t) {
    const LogProbabilities log_p(p.Row(t - 1)), log_q(q.Row(t - 1));
    kl += KlDivergence(log_p, log_q) / 75;
    same += log_p.MostLikely() == log_q.MostLikely() ? 1.0 / 75 : 0;
    log_ratio += (log_p[text[t]] - log_q[text[t]]) / 75;
    largest = std::max(largest, KlDivergence(log_p, log_q));
  }
  EXPECT_NEAR(result.llama_cpp.kl.mean(), kl, 1e-5);
  EXPECT_NEAR(result.llama_cpp.same_top.mean(), same, 1e-9);
  EXPECT_NEAR(result.llama_cpp.log_ratio.mean(), log_ratio, 1e-5);
  EXPECT_NEAR(result.llama_cpp.PerplexityRatio(),
              result.other.llama_cpp.Perplexity() / result.reference.llama_cpp.Perplexity(), 1e-9);
  EXPECT_EQ(result.llama_cpp.kl_values.size(), 75u);
  EXPECT_EQ(result.hf.kl_values.size(), 149u);
  EXPECT_NEAR(result.llama_cpp.KlQuantile(1), largest, 1e-4);
  EXPECT_LT(result.llama_cpp.KlQuantile(0.5), result.llama_cpp.KlQuantile(0.99));
  EXPECT_NEAR(result.reference.hf.Perplexity(),
              Perplexity(transformer_, text, {.window = 150}, {}).hf.Perplexity(), 1e-3);
  EXPECT_NEAR(result.other.llama_cpp.Perplexity(),
              Perplexity(other_transformer, text, {.window = 150}, {}).llama_cpp.Perplexity(), 1e-3);
}

// Of the means of windows, here computed plainly; in the logarithm, so the upper half is the longer one.
TEST_F(PerplexityTest, IntervalsComeFromTheSpreadBetweenWindows) {
  const PerplexityResult result = Perplexity(transformer_, tokens_, {.window = 250}, {});
  std::vector<double> means;
  for (size_t w = 0; w < 4; ++w)
    means.push_back(Perplexity(transformer_, std::span(tokens_).subspan(250 * w, 250), {.window = 250}, {})
                        .hf.negative_log_likelihood.mean());
  double mean = 0, squares = 0;
  for (const double value : means) mean += value / 4;
  for (const double value : means) squares += (value - mean) * (value - mean);
  const double reach = 3.182 * std::sqrt(squares / 3 / 4);  // Student's t with 3 degrees of freedom
  const std::optional<Interval> interval = result.hf.PerplexityInterval();
  ASSERT_TRUE(interval);
  EXPECT_NEAR(std::log(interval->low), mean - reach, 2e-3 * reach + 1e-5);
  EXPECT_NEAR(std::log(interval->high), mean + reach, 2e-3 * reach + 1e-5);
  EXPECT_GT(interval->high - result.hf.Perplexity(), result.hf.Perplexity() - interval->low);
  EXPECT_FALSE(Perplexity(transformer_, tokens_, {.window = 600}, {}).hf.PerplexityInterval());
}

// A model with slightly other weights finds the same tokens hard: what differs is much better known than the
// perplexities.
TEST_F(PerplexityTest, PairedDifferencesAreTighter) {
  Model other = model_;
  for (float& gain : other.final_norm) gain *= 1.05f;
  Transformer other_transformer(other, pool_);
  const DivergenceResult result = Divergence(transformer_, other_transformer, tokens_, {.window = 100}, {});
  const std::optional<Interval> ratio = result.hf.PerplexityRatioInterval();
  const std::optional<Interval> alone = result.other.hf.PerplexityInterval();
  ASSERT_TRUE(ratio && alone);
  EXPECT_LE(ratio->low, result.hf.PerplexityRatio());
  EXPECT_GE(ratio->high, result.hf.PerplexityRatio());
  EXPECT_LT(ratio->high / ratio->low - 1, 0.25 * (alone->high / alone->low - 1));
}

TEST_F(PerplexityTest, DivergenceNeedsOneVocabulary) {
  Model other = model_;
  other.config.vocabulary = 319;
  Transformer other_transformer(other, pool_);
  EXPECT_THAT([&] { Divergence(transformer_, other_transformer, tokens_, {}, {}); },
              ThrowsMessage<Error>(HasSubstr("vocabularies differ: 320 and 319")));
}

TEST_F(PerplexityTest, LeavesOnAnInterrupt) {
  CatchInterrupts();
  std::raise(SIGINT);
  EXPECT_THROW(Perplexity(transformer_, tokens_, {.window = 100}, {}), Interrupted);
  ClearInterrupt();
}

// The log-probabilities of 255 predictions by transformers, in float32 on these weights in F16
// (tests/golden/README.md).
TEST(SmolLm2Perplexity, OfTheGoldenText) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2");
  Model model = LoadModel(*path);
  const auto round = [](Linear& linear) {
    linear.weight = StoredMatrix::FromFloats(linear.ToDense(), DType::kF16);
  };
  round(model.embedding);
  for (Block& block : model.blocks) std::ranges::for_each(block.linears, round);
  ThreadPool pool;
  Transformer transformer(model, pool);
  const Json golden = ParseJson(ReadTextFile(test::GoldenPath("smollm2_logits.json")), "smollm2_logits.json");
  const Json& example = golden.at("logits").back();
  const auto log_p = example.at("next_token_logprobs").get<std::vector<double>>();
  RunningMean all, second_half;
  for (size_t t = 1; t < 256; ++t) {
    all.Add(-log_p[t - 1]);
    if (t >= 128) second_half.Add(-log_p[t - 1]);
  }
  const PerplexityResult result =
      Perplexity(transformer, example.at("ids").get<std::vector<TokenId>>(), {.window = 256}, {});
  // The half-precision cache moves single predictions by some 1e-3, up and down.
  EXPECT_NEAR(result.hf.negative_log_likelihood.mean(), all.mean(), 1e-4);
  EXPECT_NEAR(result.llama_cpp.negative_log_likelihood.mean(), second_half.mean(), 1e-4);
  EXPECT_NEAR(result.hf.negative_log_likelihood.standard_error(), all.standard_error(), 1e-4);
}

}  // namespace
}  // namespace addend
