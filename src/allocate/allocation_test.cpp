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

}  // namespace
}  // namespace addend
