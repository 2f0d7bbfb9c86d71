#include "allocate/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace addend {
namespace {

using ::testing::HasSubstr;

Linear Dense(size_t outputs, size_t inputs) {
  return {.weight = StoredMatrix(DType::kF32, outputs, inputs, std::vector<std::byte>(outputs * inputs * 4)),
          .bias = {}};
}

// The shapes of one SmolLM2-135M block.
Model SmolLm2Shapes() {
  Model model;
  Block& block = model.blocks.emplace_back();
  block[LinearKind::kQ] = Dense(576, 576);
  block[LinearKind::kK] = Dense(192, 576);
  block[LinearKind::kV] = Dense(192, 576);
  block[LinearKind::kO] = Dense(576, 576);
  block[LinearKind::kGate] = Dense(1536, 576);
  block[LinearKind::kUp] = Dense(1536, 576);
  block[LinearKind::kDown] = Dense(576, 1536);
  return model;
}

TEST(UniformAllocation, GivesEveryLayerTheLargestRankWithinTheRate) {
  const Model model = SmolLm2Shapes();
  const Allocation at_one = UniformAllocation(model, 1.0);
  EXPECT_EQ(at_one.Rank(0, LinearKind::kQ), 268u);  // by hand: floor((576^2 - 16 * 1152) / 1168)
  EXPECT_EQ(at_one.Rank(0, LinearKind::kDown), 399u);
  for (const double bits : {0.3, 0.55, 1.0, 2.37, 4.0}) {
    const Allocation allocation = UniformAllocation(model, bits);
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[0][kind];
      const size_t rank = allocation.Rank(0, kind);
      EXPECT_LE(BitsPerWeight(linear.outputs(), linear.inputs(), rank), bits);
      EXPECT_GT(BitsPerWeight(linear.outputs(), linear.inputs(), rank + 1), bits);
    }
  }
}

TEST(PredictedLoss, FallsByTheSameFactorWithEachBit) {
  const Model model = SmolLm2Shapes();
  ModelLoss losses(1);
  for (LayerLoss& layer : losses[0]) layer = {.bits = 1, .loss = 0.5};
  const double at_one = PredictedLoss(model, losses, UniformAllocation(model, 1));
  const double at_two = PredictedLoss(model, losses, UniformAllocation(model, 2));
  EXPECT_NEAR(at_one, 7 * 0.5, 0.02);  // ranks are whole numbers: a little below 1 bit
  EXPECT_NEAR(at_two / at_one, std::exp(-kLossDecay), 0.005);
}

TEST(UniformAllocation, RefusesWhatCannotBe) {
  const Model model = SmolLm2Shapes();
  EXPECT_THROW(UniformAllocation(model, 0.29), Error);
  EXPECT_THROW(UniformAllocation(model, 4.01), Error);
  EXPECT_THROW(UniformAllocation(model, std::nan("")), Error);
  Model tiny = SmolLm2Shapes();
  tiny.blocks[0][LinearKind::kV] = Dense(16, 64);
  try {
    UniformAllocation(tiny, 1.0);
    FAIL() << "16 x 64 at 1 bit has no room for its scales";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("blk.0.attn_v [16, 64] is too small for 1 bits"));
  }
}

double BitsOf(const Model& model, const Allocation& allocation, LinearKind kind) {
  const Linear& linear = model.blocks[0][kind];
  return BitsPerWeight(linear.outputs(), linear.inputs(), allocation.Rank(0, kind));
}

double AverageBits(const Model& model, const Allocation& allocation) {
  double bits = 0, weights = 0;
  for (const LinearKind kind : kLinearKinds) {
    const auto count = static_cast<double>(model.blocks[0][kind].outputs() * model.blocks[0][kind].inputs());
    bits += count * BitsOf(model, allocation, kind);
    weights += count;
  }
  return bits / weights;
}

// Losses in proportion to the weights of each layer, which call for equal rates, times `factor`(kind).
template <typename Factor>
ModelLoss LossesAtOneBit(const Model& model, Factor&& factor) {
  ModelLoss losses(1);
  for (const LinearKind kind : kLinearKinds) {
    const Linear& linear = model.blocks[0][kind];
    losses[0][static_cast<size_t>(kind)] = {
        .bits = 1, .loss = factor(kind) * static_cast<double>(linear.outputs() * linear.inputs())};
  }
  return losses;
}

TEST(MarginalAllocation, KeepsToTheBudgetAndFillsIt) {
  const Model model = SmolLm2Shapes();
  for (const double scale : {1e-12, 1.0, 1e12}) {
    const ModelLoss losses = LossesAtOneBit(
        model, [&](LinearKind kind) { return scale * std::exp(0.3 * static_cast<double>(kind)); });
    for (const double bits : {0.55, 1.0, 2.0}) {
      const double average = AverageBits(model, MarginalAllocation(model, losses, bits));
      EXPECT_LE(average, bits);
      EXPECT_GT(average, bits - 0.01);
    }
  }
}

TEST(MarginalAllocation, EqualLossesGiveEqualRates) {
  const Model model = SmolLm2Shapes();
  const ModelLoss losses = LossesAtOneBit(model, [](LinearKind) { return 3.0; });
  const Allocation allocation = MarginalAllocation(model, losses, 1.3);
  for (const LinearKind kind : kLinearKinds) EXPECT_NEAR(BitsOf(model, allocation, kind), 1.3, 0.01);
}

TEST(MarginalAllocation, TheMarginalLossIsTheSame) {
  const Model model = SmolLm2Shapes();
  // V and K matter e^1.2 and e^0.5 times as much a weight: that many bits more, at a decay of 1 nat a bit.
  const ModelLoss losses = LossesAtOneBit(model, [](LinearKind kind) {
    return kind == LinearKind::kV ? std::exp(1.2) : kind == LinearKind::kK ? std::exp(0.5) : 1.0;
  });
  const Allocation allocation = MarginalAllocation(model, losses, 1.0);
  const double q = BitsOf(model, allocation, LinearKind::kQ);
  EXPECT_NEAR(BitsOf(model, allocation, LinearKind::kV), q + 1.2 / kLossDecay, 0.01);
  EXPECT_NEAR(BitsOf(model, allocation, LinearKind::kK), q + 0.5 / kLossDecay, 0.01);
  EXPECT_NEAR(BitsOf(model, allocation, LinearKind::kDown), q, 0.01);
}

TEST(MarginalAllocation, RatesStayWithinBounds) {
  const Model model = SmolLm2Shapes();
  const ModelLoss losses = LossesAtOneBit(model, [](LinearKind kind) {
    return kind == LinearKind::kV ? 1e9 : kind == LinearKind::kQ ? 0.0 : 1.0;
  });
  const Allocation allocation = MarginalAllocation(model, losses, 1.0);
  EXPECT_NEAR(BitsOf(model, allocation, LinearKind::kV), kMaxBits, 0.02);
  EXPECT_NEAR(BitsOf(model, allocation, LinearKind::kQ), 0.5, 0.01);
}

}  // namespace
}  // namespace addend
