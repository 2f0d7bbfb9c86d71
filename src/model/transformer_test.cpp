#include "model/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

double LogProbability(std::span<const float> logits, TokenId token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return logits[token] - largest - std::log(sum);
}

Matrix AllLogits(Transformer& transformer, std::span<const TokenId> tokens, DType kv_type = DType::kF32) {
  KvCache cache(transformer.config(), tokens.size(), kv_type);
  Matrix logits;
  transformer.Forward(tokens, cache, LogitRows::kAll, logits);
  return logits;
}

double LargestDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - b[i]);
    if (!(difference <= largest)) largest = difference;  // NaN stays
  }
  return largest;
}

std::vector<TokenId> RandomTokens(size_t count, size_t vocabulary) {
  Rng rng(7);
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(rng.Below(vocabulary));
  return tokens;
}

// Random factors in place of each linear, so that the compressed path runs without a compressor.
Model Factored(Model model) {
  Rng rng(11);
  for (Block& block : model.blocks) {
    for (Linear& linear : block.linears) {
      const size_t n = linear.outputs(), m = linear.inputs(), rank = 40;
      FactoredWeight factors{SignMatrix(n, rank), SignMatrix(rank, m), std::vector<float>(n, 0.05f),
                             std::vector<float>(rank, 0.3f), std::vector<float>(m, 0.5f)};
      for (SignMatrix* signs : {&factors.A, &factors.B}) {
        for (size_t r = 0; r < signs->rows(); ++r) {
          for (size_t c = 0; c < signs->cols(); ++c) signs->Set(r, c, rng.Below(2) == 1);
        }
      }
      linear.weight = factors;
    }
  }
  return model;
}

class TinyModel : public testing::TestWithParam<const char*> {
 protected:
  const Path folder_ = test::GoldenPath("tiny_models") / GetParam();
  const Model model_ = LoadModel(folder_);
  const Json expected_ = ParseJson(ReadTextFile(folder_ / "expected.json"), "expected.json");
  const std::vector<TokenId> tokens_ = expected_.at("ids").get<std::vector<TokenId>>();
  ThreadPool pool_{2};
};

// expected.json: transformers 5.23.0 in float32 (tests/golden/README.md). Two float32 programs that sum in
// different orders differ by some 1e-6 here; a wrong detail (an epsilon, the activation, a window off by one)
// by 1e-3 or more.
TEST_P(TinyModel, MatchesGoldenLogitsAndLoss) {
  Transformer transformer(model_, pool_);
  const Matrix logits = AllLogits(transformer, tokens_);
  const auto last = expected_.at("logits_last").get<std::vector<float>>();
  const auto middle = expected_.at("logits_40_first16").get<std::vector<float>>();
  EXPECT_LT(LargestDifference(logits.Row(tokens_.size() - 1), last), 2e-5);
  EXPECT_LT(LargestDifference(logits.Row(40).first(16), middle), 2e-5);
  double loss = 0;
  for (size_t t = 0; t + 1 < tokens_.size(); ++t) loss -= LogProbability(logits.Row(t), tokens_[t + 1]);
  EXPECT_NEAR(loss / static_cast<double>(tokens_.size() - 1), expected_.at("loss").get<double>(), 2e-6);
}

// The cache holds what one pass over everything computes: in float32 up to the order of sums, in half
// precision up to its rounding (2^-11 of keys and values, of size 1 or so, averaged by attention), in blocks
// of 8 bits 2^-8 of the largest of a block.
TEST_P(TinyModel, TokenByTokenEqualsOneGo) {
  Transformer transformer(model_, pool_);
  const Matrix together = AllLogits(transformer, tokens_);
  for (const auto& [type, allowed] :
       {std::pair(DType::kF32, 2e-5), std::pair(DType::kF16, 1e-2), std::pair(DType::kQ8_0, 8e-2)}) {
    if (model_.config.head_dim % Info(type).block_elements != 0) continue;
    KvCache cache(model_.config, tokens_.size(), type);
    Matrix logits;
    for (size_t t = 0; t < tokens_.size(); ++t) {
      transformer.Forward({&tokens_[t], 1}, cache, LogitRows::kLast, logits);
      ASSERT_LT(LargestDifference(logits.Row(0), together.Row(t)), allowed)
          << Info(type).name << " token " << t;
    }
    EXPECT_EQ(cache.length(), tokens_.size());
  }
}

TEST_P(TinyModel, FactoredWeightsRunThroughTheSameCode) {
  const Model factored = Factored(model_);
  Model dense = factored;
  for (Block& block : dense.blocks) {
    for (Linear& linear : block.linears)
      linear.weight = StoredMatrix::FromFloats(linear.ToDense(), DType::kF32);
  }
  Transformer with_factors(factored, pool_, Precision::kExact), with_floats(dense, pool_);
  const Matrix logits = AllLogits(with_factors, tokens_);
  EXPECT_LT(LargestDifference(logits.values(), AllLogits(with_floats, tokens_).values()), 1e-4);
  // Activations of about 14 bits: 0.05 % of each product.
  Transformer nearly(factored, pool_, Precision::kNear);
  EXPECT_LT(LargestDifference(logits.values(), AllLogits(nearly, tokens_).values()), 2e-2);
}

TEST_P(TinyModel, FactoredEmbeddingsRunThroughTheSameCode) {
  Model factored = model_;
  Rng rng(12);
  const auto factor = [&](Linear& linear) {
    const size_t n = linear.outputs(), m = linear.inputs(), rank = 50;
    linear.weight = FactoredWeight{SignMatrix::Random(n, rank, rng), SignMatrix::Random(rank, m, rng),
                                   std::vector<float>(n, 0.1f), std::vector<float>(rank, 0.2f),
                                   std::vector<float>(m, 0.5f)};
  };
  factor(factored.embedding);
  if (factored.head) factor(*factored.head);
  Model dense = factored;
  dense.embedding.weight = StoredMatrix::FromFloats(dense.embedding.ToDense(), DType::kF32);
  if (dense.head) dense.head->weight = StoredMatrix::FromFloats(dense.head->ToDense(), DType::kF32);
  Transformer with_factors(factored, pool_, Precision::kExact), with_floats(dense, pool_);
  const Matrix logits = AllLogits(with_factors, tokens_);
  EXPECT_LT(LargestDifference(logits.values(), AllLogits(with_floats, tokens_).values()), 1e-4);
  Transformer nearly(factored, pool_, Precision::kNear);
  EXPECT_LT(LargestDifference(logits.values(), AllLogits(nearly, tokens_).values()), 2e-2);
}

INSTANTIATE_TEST_SUITE_P(Architectures, TinyModel,
                         testing::Values("llama", "llama3-rope", "mistral", "qwen2", "qwen3", "gemma2",
                                         "gemma3"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::erase(name, '-');
                           return name;
                         });

class TransformerTest : public testing::Test {
 protected:
  const Model model_ = LoadModel(test::GoldenPath("tiny_models") / "mistral");  // its window is 24
  ThreadPool pool_{2};
  Transformer transformer_{model_, pool_};
};

// More than one batch of rows inside; lengths that are no multiple of any tile.
TEST_F(TransformerTest, LongPromptsAreCutIntoBatches) {
  const auto tokens = RandomTokens(1100, model_.config.vocabulary);
  const Matrix together = AllLogits(transformer_, tokens);
  KvCache cache(model_.config, tokens.size(), DType::kF32);
  Matrix logits;
  size_t done = 0;
  for (const size_t count : {1, 7, 9, 63, 300, 720}) {
    transformer_.Forward(std::span(tokens).subspan(done, count), cache, LogitRows::kAll, logits);
    const auto expected = together.values().subspan(done * logits.cols(), logits.size());
    ASSERT_LT(LargestDifference(logits.values(), expected), 2e-5) << count << " tokens after " << done;
    done += count;
  }
  EXPECT_EQ(done, tokens.size());
}

TEST_F(TransformerTest, SequencesOfABatchDoNotMix) {
  const auto tokens = RandomTokens(900, model_.config.vocabulary);
  const std::span all(tokens);
  KvCache a(model_.config, 600, DType::kF32), b(model_.config, 600, DType::kF32);
  Matrix hidden, logits;
  transformer_.ForwardHidden(all.first(50), a, hidden);  // a goes on where it stands
  const std::vector<SequenceTokens> batch = {{all.subspan(50, 500), &a}, {all.subspan(550, 350), &b}};
  transformer_.ForwardHidden(batch, hidden);
  ASSERT_EQ(hidden.rows(), 850u);
  logits.Reshape(hidden.rows(), model_.config.vocabulary);
  transformer_.Logits(hidden, logits);

  const Matrix alone_a = AllLogits(transformer_, all.first(550)),
               alone_b = AllLogits(transformer_, all.subspan(550, 350));
  EXPECT_LT(LargestDifference(logits.Row(499), alone_a.Row(549)), 2e-5);
  EXPECT_LT(LargestDifference(logits.Row(500), alone_b.Row(0)), 2e-5);
  EXPECT_LT(LargestDifference(logits.Row(849), alone_b.Row(349)), 2e-5);
}

TEST_F(TransformerTest, TruncatedCachesGoOnFromThere) {
  const auto tokens = RandomTokens(40, model_.config.vocabulary);
  KvCache cache(model_.config, 64, DType::kF32);
  Matrix logits;
  transformer_.Forward(RandomTokens(60, 300), cache, LogitRows::kNone, logits);
  EXPECT_EQ(logits.rows(), 0u);
  cache.Truncate(0);
  transformer_.Forward(std::span(tokens).first(39), cache, LogitRows::kNone, logits);
  transformer_.Forward(std::span(tokens).last(1), cache, LogitRows::kLast, logits);
  EXPECT_LT(LargestDifference(logits.values(), AllLogits(transformer_, tokens).Row(39)), 2e-5);
}

TEST_F(TransformerTest, TheNumberOfThreadsChangesNothing) {
  const auto tokens = RandomTokens(70, model_.config.vocabulary);
  ThreadPool one(1), three(3);
  for (const Model& model : {model_, Factored(model_)}) {
    Transformer on_one(model, one), on_three(model, three);
    EXPECT_EQ(LargestDifference(AllLogits(on_one, tokens).values(), AllLogits(on_three, tokens).values()), 0);
  }
}

TEST_F(TransformerTest, RefusesBeforeItChangesTheCache) {
  KvCache cache(model_.config, 4);
  Matrix logits;
  const std::vector<TokenId> unknown = {1, 320}, many = {1, 2, 3, 4, 5};
  EXPECT_THAT([&] { transformer_.Forward(unknown, cache, LogitRows::kLast, logits); },
              ThrowsMessage<Error>(HasSubstr("token id 320 is outside of the model's vocabulary of 320")));
  EXPECT_THAT([&] { transformer_.Forward(many, cache, LogitRows::kLast, logits); },
              ThrowsMessage<Error>(HasSubstr("context is full")));
  EXPECT_EQ(cache.length(), 0u);
  transformer_.Forward({}, cache, LogitRows::kLast, logits);
  EXPECT_EQ(logits.rows(), 0u);
}

// smollm2_logits.json: transformers in float32 on weights that were decoded from this file to F16 (found by
// trying: F32 weights differ from it by 1e-2, F16 ones by 2e-5).
class SmolLm2 : public testing::Test {
 protected:
  void SetUp() override {
    ADDEND_SKIP_WITHOUT(test::SmolLm2(), "SmolLM2");
    model_ = LoadModel(*test::SmolLm2());
    const auto round = [](Linear& linear) {
      linear.weight = StoredMatrix::FromFloats(linear.ToDense(), DType::kF16);
    };
    round(model_->embedding);
    for (Block& block : model_->blocks) std::ranges::for_each(block.linears, round);
    transformer_.emplace(*model_, pool_);
  }
  const Json golden_ =
      ParseJson(ReadTextFile(test::GoldenPath("smollm2_logits.json")), "smollm2_logits.json");
  ThreadPool pool_;
  std::optional<Model> model_;
  std::optional<Transformer> transformer_;
};

TEST_F(SmolLm2, MatchesGoldenLogits) {
  for (const Json& example : golden_.at("logits")) {
    const auto tokens = example.at("ids").get<std::vector<TokenId>>();
    const Matrix logits = AllLogits(*transformer_, tokens);
    for (const auto& [id, logit] : example.at("last_top10").get<std::vector<std::pair<TokenId, float>>>()) {
      EXPECT_NEAR(logits(tokens.size() - 1, id), logit, 1e-4);
    }
    const auto expected = example.at("next_token_logprobs").get<std::vector<double>>();
    for (size_t t = 0; t + 1 < tokens.size(); ++t) {
      EXPECT_NEAR(LogProbability(logits.Row(t), tokens[t + 1]), expected[t], 1e-4) << "position " << t;
    }
  }
}

// With the default half-precision cache, as users run it.
TEST_F(SmolLm2, GreedyContinuationsMatchTokenByToken) {
  constexpr size_t kGenerated = 32;  // after each prompt
  for (const Json& example : golden_.at("greedy")) {
    const auto ids = example.at("ids").get<std::vector<TokenId>>();
    KvCache cache(model_->config, ids.size());
    Matrix logits;
    transformer_->Forward(std::span(ids).first(ids.size() - kGenerated), cache, LogitRows::kLast, logits);
    for (size_t t = ids.size() - kGenerated; t < ids.size(); ++t) {
      const auto row = logits.Row(0);
      ASSERT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), ids[t])
          << example.at("prompt") << ", token " << t;
      transformer_->Forward({&ids[t], 1}, cache, LogitRows::kLast, logits);
    }
  }
}

}  // namespace
}  // namespace addend
