#include "model/synthetic_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "model/transformer.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Awkward sizes: no multiples of the kernels' tiles.
ModelConfig SmallShape() {
  ModelConfig config = ShapeNamed("smollm2-135m");
  config.blocks = 6;
  config.hidden = 160;
  config.heads = 5;
  config.kv_heads = 1;
  config.head_dim = 32;
  config.feed_forward = 224;
  config.vocabulary = 300;
  config.slides.assign(config.blocks, false);
  return config;
}

TEST(SyntheticModel, HasTheShapeAndTheRate) {
  ThreadPool pool(2);
  for (const bool tied : {true, false}) {
    ModelConfig config = SmallShape();
    config.tied_head = tied;
    const Model model = SyntheticModel(config, {.bits = 1.5, .embedding = DType::kQ4_0}, pool);
    EXPECT_EQ(model.head.has_value(), !tied);
    EXPECT_EQ(std::get<StoredMatrix>(model.embedding.weight).type(), DType::kQ4_0);
    const SizeReport size = CountBits(model);
    const double bits = size.linear_bits / static_cast<double>(size.linear_weights);
    EXPECT_LE(bits, 1.5);
    EXPECT_GT(bits, 1.45);
  }
}

// What is computed must cost what a real model's costs: numbers neither vanish nor grow out of range.
TEST(SyntheticModel, KeepsActivationsInRange) {
  ThreadPool pool(1);
  const Model model = SyntheticModel(SmallShape(), {}, pool);
  Transformer transformer(model, pool);
  KvCache cache(model.config, 40);
  std::vector<TokenId> tokens(40);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(7 * i);
  Matrix logits;
  transformer.Forward(tokens, cache, LogitRows::kAll, logits);
  double square = 0;
  for (const float value : logits.values()) square += static_cast<double>(value) * value;
  const double size = std::sqrt(square / static_cast<double>(logits.size()));
  EXPECT_GT(size, 0.3);
  EXPECT_LT(size, 3);
}

TEST(SyntheticModel, IsTheSameForAnyNumberOfThreadsAndFromItsFile) {
  ThreadPool one(1), two(2);
  const test::TemporaryFolder folder;
  SaveModel(SyntheticModel(SmallShape(), {}, one), folder / "one.gguf");
  SaveModel(SyntheticModel(SmallShape(), {}, two), folder / "two.gguf");
  EXPECT_EQ(ReadTextFile(folder / "one.gguf"), ReadTextFile(folder / "two.gguf"));
  EXPECT_EQ(LoadModel(folder / "one.gguf").config, SmallShape());
}

TEST(SyntheticModel, TakesTheShapeOfAConfig) {
  const Path folder = test::GoldenPath("tiny_models") / "qwen3";
  EXPECT_EQ(ShapeFromConfig(folder / "config.json"), LoadModel(folder).config);
}

TEST(SyntheticModel, RefusesWhatCannotBe) {
  ThreadPool pool(1);
  EXPECT_THAT([&] { SyntheticModel(SmallShape(), {.bits = 0.01}, pool); },
              ThrowsMessage<Error>(HasSubstr("not even rank 1")));
  EXPECT_THAT([] { ShapeNamed("llama-9"); }, ThrowsMessage<Error>(HasSubstr("llama-2-7b")));
  EXPECT_THAT(ShapeNames(), testing::Contains("llama-3-8b"));
}

}  // namespace
}  // namespace addend
