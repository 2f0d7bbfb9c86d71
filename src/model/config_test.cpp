#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

ModelConfig GoodConfig() {
  ModelConfig config;
  config.blocks = 2;
  config.hidden = 64;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.feed_forward = 176;
  config.vocabulary = 320;
  config.context = 512;
  config.attention_scale = 0.25f;
  config.slides = {false, false};
  return config;
}

TEST(ModelConfig, AcceptsAnOrdinaryModel) {
  EXPECT_NO_THROW(GoodConfig().Validate("x"));
}

TEST(ModelConfig, RefusesWhatNoModelHas) {
  struct Case {
    const char* names;  // what the message must mention
    std::function<void(ModelConfig&)> spoil;
  };
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  const Case cases[] = {
      {"blocks", [](ModelConfig& c) { c.blocks = 0; }},
      {"blocks", [](ModelConfig& c) { c.blocks = size_t{1} << 60; }},
      {"hidden width", [](ModelConfig& c) { c.hidden = 0; }},
      {"hidden width", [](ModelConfig& c) { c.hidden = 1'000'001; }},
      {"heads", [](ModelConfig& c) { c.heads = 0; }},
      {"key-value heads", [](ModelConfig& c) { c.kv_heads = 0; }},
      {"does not divide", [](ModelConfig& c) { c.kv_heads = 3; }},
      {"odd", [](ModelConfig& c) { c.head_dim = 15; }},
      {"attention width", [](ModelConfig& c) { c.heads = c.kv_heads = c.head_dim = 100'000; }},
      {"feed-forward", [](ModelConfig& c) { c.feed_forward = 0; }},
      {"vocabulary", [](ModelConfig& c) { c.vocabulary = 0; }},
      {"context", [](ModelConfig& c) { c.context = 0; }},
      {"epsilon", [](ModelConfig& c) { c.norm_epsilon = 0; }},
      {"epsilon", [](ModelConfig& c) { c.norm_epsilon = -1e-5f; }},
      {"epsilon", [](ModelConfig& c) { c.norm_epsilon = 1; }},
      {"epsilon", [=](ModelConfig& c) { c.norm_epsilon = nan; }},
      {"embedding scale", [=](ModelConfig& c) { c.embedding_scale = infinity; }},
      {"attention scale", [](ModelConfig& c) { c.attention_scale = 0; }},
      {"attention softcap", [](ModelConfig& c) { c.attention_softcap = -1; }},
      {"logit softcap", [=](ModelConfig& c) { c.logit_softcap = nan; }},
      {"theta", [](ModelConfig& c) { c.rope_theta = 0; }},
      {"theta of sliding", [](ModelConfig& c) { c.rope_theta_sliding = -1; }},
      {"rope scaling factor", [](ModelConfig& c) { c.rope_scaling.factor = 0; }},
      {"high frequency factor",
       [](ModelConfig& c) {
         c.rope_scaling.kind = RopeScaling::Kind::kLlama3;
         c.rope_scaling.high_frequency_factor = c.rope_scaling.low_frequency_factor;
       }},
      {"original context",
       [](ModelConfig& c) {
         c.rope_scaling.kind = RopeScaling::Kind::kLlama3;
         c.rope_scaling.original_context = 0;
       }},
      {"number of factors",
       [](ModelConfig& c) {
         c.rope_scaling.kind = RopeScaling::Kind::kFactors;
         c.rope_scaling.factors = {1, 1, 1};
       }},
      {"frequency factor",
       [](ModelConfig& c) {
         c.rope_scaling.kind = RopeScaling::Kind::kFactors;
         c.rope_scaling.factors.assign(c.head_dim / 2, 0.0f);
       }},
      {"one entry for each block", [](ModelConfig& c) { c.slides.clear(); }},
      {"need each other", [](ModelConfig& c) { c.slides[1] = true; }},
      {"need each other", [](ModelConfig& c) { c.sliding_window = 24; }},
  };
  for (const Case& spoiled : cases) {
    ModelConfig config = GoodConfig();
    spoiled.spoil(config);
    EXPECT_THAT([&] { config.Validate("FILE"); },
                ThrowsMessage<Error>(AllOf(StartsWith("FILE: "), HasSubstr(spoiled.names))));
  }
}

TEST(ModelConfig, ArchitectureNamesGoBothWays) {
  for (const char* name : {"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3"}) {
    ASSERT_TRUE(ArchitectureNamed(name)) << name;
    EXPECT_EQ(Name(*ArchitectureNamed(name)), name);
  }
  EXPECT_FALSE(ArchitectureNamed("gpt2"));
}

}  // namespace
}  // namespace addend
