#include "model/rope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace addend {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

ModelConfig Config(size_t head_dim, float theta) {
  ModelConfig config;
  config.head_dim = head_dim;
  config.rope_theta = config.rope_theta_sliding = theta;
  return config;
}

TEST(Rope, FrequenciesArePowersOfTheta) {
  // theta = 16, head_dim = 8: 16^(-2i / 8) = 2^-i.
  EXPECT_THAT(RopeFrequencies(Config(8, 16), RopeKind::kFull),
              Pointwise(DoubleNear(1e-12), {1.0, 0.5, 0.25, 0.125}));
}

TEST(Rope, LinearScalingStretchesPositions) {
  ModelConfig config = Config(8, 16);
  config.rope_scaling.kind = RopeScaling::Kind::kLinear;
  config.rope_scaling.factor = 4;
  EXPECT_THAT(RopeFrequencies(config, RopeKind::kFull),
              Pointwise(DoubleNear(1e-12), {0.25, 0.125, 0.0625, 0.03125}));
}

TEST(Rope, Llama3ScalingKeepsShortWavesAndStretchesLongOnes) {
  ModelConfig config = Config(8, 4096);  // frequencies 1, 1/8, 1/64, 1/512
  config.rope_scaling.kind = RopeScaling::Kind::kLlama3;
  config.rope_scaling.factor = 8;
  config.rope_scaling.original_context = 64;
  // 64 positions make 10.2, 1.27, 0.159 and 0.02 turns: above 4 kept, below 1 divided by 8, and at 1.2732 in
  // between (1.2732 - 1) / (4 - 1) = 0.09108 of the way to kept.
  EXPECT_THAT(
      RopeFrequencies(config, RopeKind::kFull),
      Pointwise(DoubleNear(1e-6), {1.0, 0.125 * (0.09108 + (1 - 0.09108) / 8), 1.0 / 64 / 8, 1.0 / 512 / 8}));
}

TEST(Rope, FactorsDivideEachFrequency) {
  ModelConfig config = Config(4, 16);
  config.rope_scaling.kind = RopeScaling::Kind::kFactors;
  config.rope_scaling.factors = {1, 5};
  EXPECT_THAT(RopeFrequencies(config, RopeKind::kFull), Pointwise(DoubleNear(1e-12), {1.0, 0.05}));
}

TEST(Rope, SlidingBlocksHaveTheirOwnUnscaledTheta) {
  ModelConfig config = Config(4, 10000);
  config.rope_theta_sliding = 16;
  config.rope_scaling.kind = RopeScaling::Kind::kLinear;
  config.rope_scaling.factor = 8;
  EXPECT_THAT(RopeFrequencies(config, RopeKind::kSliding), Pointwise(DoubleNear(1e-12), {1.0, 0.25}));
  EXPECT_THAT(RopeFrequencies(config, RopeKind::kFull), Pointwise(DoubleNear(1e-12), {0.125, 0.00125}));
}

TEST(Rope, TurnsEachPairOfEachHeadByItsAngle) {
  RopeTable table(Config(4, 16), RopeKind::kFull);
  table.Extend(3);
  std::vector<float> row = {1, 0, 0, 1, 0, 2, 3, 0};  // two heads; pairs (0, 2) and (1, 3)
  table.Rotate(row, 2);
  const float c0 = std::cos(2.0), s0 = std::sin(2.0), c1 = std::cos(0.5), s1 = std::sin(0.5);
  EXPECT_THAT(row, Pointwise(FloatNear(1e-6f), {c0, -s1, s0, c1, -3 * s0, 2 * c1, 3 * c0, 2 * s1}));
}

TEST(Rope, RotateBackUndoesRotate) {
  RopeTable table(Config(6, 100), RopeKind::kFull);
  table.Extend(100);
  std::vector<float> row = {1, -2, 3, 0.5f, 4, -0.25f};
  const std::vector<float> before = row;
  table.Rotate(row, 99);
  EXPECT_GT(std::abs(row[0] - before[0]), 0.1f);
  table.RotateBack(row, 99);
  EXPECT_THAT(row, Pointwise(FloatNear(1e-6f), before));
}

TEST(Rope, ExtendKeepsWhatIsThere) {
  RopeTable table(Config(4, 16), RopeKind::kFull);
  EXPECT_EQ(table.positions(), 0u);
  table.Extend(2);
  table.Extend(5);
  table.Extend(1);
  EXPECT_EQ(table.positions(), 5u);
  EXPECT_THAT(table.Cos(0), ElementsAre(1, 1));
  EXPECT_FLOAT_EQ(table.Sin(4)[1], std::sin(1.0f));
}

}  // namespace
}  // namespace addend
