#include "tune/block_tuning.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "support.h"
#include "train/train_block.h"

namespace addend {
namespace {

constexpr size_t kLength = 16, kTraining = 12, kHeldOut = 3;

// A block with random factors in place of all its linears.
Block RandomlyFactored(const Block& dense) {
  Block block = dense;
  for (const LinearKind kind : kLinearKinds) {
    const size_t n = dense[kind].outputs(), m = dense[kind].inputs(), rank = m / 2;
    Rng rng(static_cast<uint64_t>(kind));
    const auto signs = [&rng](size_t rows, size_t cols) {
      Matrix normals(rows, cols);
      for (float& value : normals.values()) value = rng.Normal();
      return SignMatrix::FromDense(normals);
    };
    block[kind].weight = FactoredWeight{.A = signs(n, rank),
                                        .B = signs(rank, m),
                                        .a = std::vector(n, 0.1f),
                                        .mid = std::vector(rank, 0.1f),
                                        .b = std::vector(m, 1.0f)};
  }
  return block;
}

void Disturb(Block& block) {
  Rng rng(3);
  for (Linear& linear : block.linears) {
    auto& factors = std::get<FactoredWeight>(linear.weight);
    for (float& scale : factors.mid) scale *= 1 + 0.5f * rng.Normal();
    for (size_t i = 0; i < factors.A.rows(); ++i) {
      factors.A.Row(i)[0] ^= uint64_t{1} << rng.Below(std::min<uint64_t>(factors.rank(), 64));
    }
  }
}

class BlockTuningTest : public ::testing::Test {
 protected:
  BlockTuningTest() {
    Rng rng(7);
    for (float& value : inputs_.values()) value = rng.Normal();
    Workspace workspace(pool_);
    TrainBlock(dense_.config, original_, 1).Forward(inputs_, kLength, targets_, nullptr, workspace);
    Disturb(disturbed_);
  }

  BlockTask Task() const {
    const size_t training = kTraining * kLength, held_out = kHeldOut * kLength;
    return {.index = 1,
            .length = kLength,
            .training = {inputs_.view().Rows(0, training), targets_.view().Rows(0, training)},
            .held_out = {inputs_.view().Rows(training, held_out), targets_.view().Rows(training, held_out)},
            .channel_weights = weights_};
  }

  BlockTuningResult Tune(Block& block, const BlockTuningOptions& options, size_t threads = 2) const {
    ThreadPool pool(threads);
    return TuneBlock(dense_.config, block, Task(), options, pool);
  }

  static std::vector<FactoredWeight> Weights(const Block& block) {
    std::vector<FactoredWeight> weights;
    for (const Linear& linear : block.linears) weights.push_back(std::get<FactoredWeight>(linear.weight));
    return weights;
  }

  const Model dense_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  const Block original_ = RandomlyFactored(dense_.blocks[1]);
  Block disturbed_ = original_;
  Matrix inputs_{(kTraining + kHeldOut) * kLength, dense_.config.hidden}, targets_ = inputs_;
  const std::vector<float> weights_ =
      std::vector(dense_.config.hidden, 1e-9f);  // as small as importances are
  ThreadPool pool_{2};
};

TEST_F(BlockTuningTest, ScalesAndSignsBringTheOutputsCloser) {
  Block scales_only = disturbed_, both = scales_only;
  const BlockTuningResult without =
      Tune(scales_only, {.epochs = 40, .batch = 2, .learning_rate = 0.05, .trains_signs = false});
  EXPECT_LT(without.after, 0.3 * without.before);
  EXPECT_EQ(without.changed_signs, 0u);
  const BlockTuningResult with =
      Tune(both, {.epochs = 40, .batch = 2, .learning_rate = 0.05, .sign_learning_rate = 0.02});
  EXPECT_EQ(with.before, without.before);
  EXPECT_LT(with.after, 0.5 * without.after);
  EXPECT_GT(with.changed_signs, 10u);
  // What is in the block is what was measured, but for fp16 scales.
  const BlockTuningResult again = Tune(both, {.epochs = 0});
  EXPECT_NEAR(again.before, with.after, 0.01 * with.after);
  EXPECT_EQ(again.after, again.before);
}

TEST_F(BlockTuningTest, TheOriginalHasNoError) {
  Block block = original_;
  const BlockTuningResult result = Tune(block, {.epochs = 1});
  EXPECT_NEAR(result.before, 0, 1e-9);
  EXPECT_LE(result.after, result.before);
}

TEST_F(BlockTuningTest, NeverEndsWorseThanItBegan) {
  Block rounded = disturbed_, block = rounded;
  Tune(rounded, {.epochs = 0});  // rounds the scales to fp16
  const BlockTuningResult result = Tune(block, {.epochs = 2, .learning_rate = 30.0});
  EXPECT_EQ(result.after, result.before);
  EXPECT_TRUE(Weights(block) == Weights(rounded));
}

TEST_F(BlockTuningTest, IsTheSameForAnyNumberOfThreads) {
  Block one = disturbed_, three = one;
  const BlockTuningOptions options{.epochs = 3, .sign_learning_rate = 0.1};
  EXPECT_GT(Tune(one, options, 1).changed_signs, 0u);
  Tune(three, options, 3);
  EXPECT_TRUE(Weights(one) == Weights(three));
}

// One token far off, as the first of a sequence is in real models, must not decide alone what the block
// learns.
TEST_F(BlockTuningTest, ATokenFarOffDoesNotOwnTheError) {
  Block block = disturbed_;
  const double before = Tune(block, {.epochs = 0}).before;
  for (float& value : targets_.Row(kTraining * kLength)) value += 1e4f;
  const double with_outlier = Tune(block, {.epochs = 0}).before;
  EXPECT_LT(with_outlier, 1.5 * before);
}

}  // namespace
}  // namespace addend
