#include "compress/size_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class SizeChoiceTest : public ::testing::Test {
 protected:
  SizeChoiceTest() {
    for (BlockLoss& block : losses_) {
      for (LayerLoss& layer : block) layer = {.bits = 2, .loss = 1e-5};
    }
  }
  double BytesAt(double bits, const EmbeddingForm& form) const {
    return FileBytes(dense_, UniformAllocation(dense_, bits), form);
  }

  const Model dense_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  ModelLoss losses_ = ModelLoss(dense_.blocks.size());
};

TEST_F(SizeChoiceTest, LargestBitsFillTheFile) {
  for (const EmbeddingForm form : {EmbeddingForm{.type = DType::kQ8_0}, EmbeddingForm{.bits = 2}}) {
    const double bytes = BytesAt(2.5, form);
    const std::optional<double> bits = LargestBits(dense_, form, nullptr, bytes);
    ASSERT_TRUE(bits);
    EXPECT_NEAR(*bits, 2.5, 0.2);  // ranks are whole numbers, and these layers small
    EXPECT_LE(BytesAt(*bits, form), bytes);
    EXPECT_EQ(LargestBits(dense_, form, nullptr, 1e9), kMaxBits);
    EXPECT_EQ(LargestBits(dense_, form, nullptr, 1e3), std::nullopt);
    const std::optional<double> by_loss = LargestBits(dense_, form, &losses_, bytes);
    ASSERT_TRUE(by_loss);
    EXPECT_LE(FileBytes(dense_, MarginalAllocation(dense_, losses_, *by_loss), form), bytes);
  }
}

TEST_F(SizeChoiceTest, TakesWhatCostsLeastTogether) {
  const EmbeddingForm wide{.type = DType::kQ8_0}, narrow{.type = DType::kQ4_0};
  const double bytes = BytesAt(1.5, wide);
  const auto choose = [&](double of_narrow) {
    const EmbeddingCandidate candidates[] = {{wide, 0.001}, {narrow, of_narrow}};
    return ChooseForSize(dense_, candidates, losses_, 31, AllocationPolicy::kMarginal, bytes);
  };
  // What is saved goes to the linear layers.
  EXPECT_EQ(choose(0.001).embedding.type, DType::kQ4_0);
  EXPECT_GT(choose(0.001).bits, 1.6);
  EXPECT_EQ(choose(100).embedding.type, DType::kQ8_0);
  EXPECT_NEAR(choose(100).bits, 1.5, 0.1);
  const SizeChoice few = choose(0.001);
  EXPECT_LT(few.linear_divergence, choose(100).linear_divergence);
  const EmbeddingCandidate none[] = {{wide, 0}};
  EXPECT_THROW(ChooseForSize(dense_, none, losses_, 31, AllocationPolicy::kUniform, 1000), Error);
}

TEST_F(SizeChoiceTest, RatesBetweenMeasuredOnesFollowTheExponential) {
  const EmbeddingCandidate measured[] = {{{.bits = 1}, std::exp(-1.0)}, {{.bits = 2}, std::exp(-3.0)}};
  const std::vector<EmbeddingCandidate> candidates = InterpolateRates(measured);
  EXPECT_NEAR(candidates.front().form.bits, 0.5, 1e-9);
  EXPECT_NEAR(candidates.back().form.bits, 2.5, 1e-9);
  EXPECT_EQ(candidates.size(), 21u);
  for (const EmbeddingCandidate& candidate : candidates)
    EXPECT_NEAR(std::log(candidate.divergence), 1 - 2 * candidate.form.bits, 1e-9);
}

TEST_F(SizeChoiceTest, WhatCannotBeIsToldAtOnce) {
  CompressOptions options{.file_bytes = 20e3};
  EXPECT_THAT([&] { GuessForSize(dense_, options); },
              ThrowsMessage<Error>(HasSubstr("--size 20.0 kB cannot be reached: at least")));
  options.file_bytes = BytesAt(2, {.type = DType::kQ8_0});
  EXPECT_GT(GuessForSize(dense_, options).bits, 2);  // with a narrower embedding
  options.embedding_type = DType::kF16;
  options.file_bytes = BytesAt(1.9, {.type = DType::kF16});
  EXPECT_EQ(GuessForSize(dense_, options).embedding.type, DType::kF16);
  options.file_bytes = BytesAt(2, {.type = DType::kQ4_0}) - 10e3;
  EXPECT_THAT([&] { GuessForSize(dense_, options); }, ThrowsMessage<Error>(HasSubstr("with this embedding")));
}

}  // namespace
}  // namespace addend
