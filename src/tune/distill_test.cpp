#include "tune/distill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/random.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::ElementsAreArray;

CalibrationText RandomText(size_t vocabulary) {
  Rng rng(11);
  CalibrationText text{.length = 24};
  const auto sequence = [&] {
    std::vector<TokenId> ids(text.length);
    for (TokenId& id : ids) id = static_cast<TokenId>(rng.Below(vocabulary));
    return ids;
  };
  for (int i = 0; i < 20; ++i) text.training.push_back(sequence());
  for (int i = 0; i < 3; ++i) text.held_out.push_back(sequence());
  return text;
}

// The model with each linear replaced by its signs and the mean magnitudes of its columns, at rank = inputs:
// A = sign(W), B with +1 on the diagonal and random signs elsewhere. No good factorization, which leaves the
// scales something to learn.
Model CrudelyFactored(const Model& dense) {
  Model model = dense;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Matrix weight = dense.blocks[b][kind].ToDense();
      const size_t n = weight.rows(), m = weight.cols();
      Rng rng(b * 7 + static_cast<size_t>(kind));
      Matrix random(m, m);
      for (float& value : random.values()) value = rng.Normal();
      FactoredWeight factors{.A = SignMatrix::FromDense(weight), .B = SignMatrix::FromDense(random)};
      factors.a.assign(n, 0.05f);
      factors.mid.assign(m, 0.1f);
      factors.b.assign(m, 0.5f);
      model.blocks[b][kind].weight = std::move(factors);
    }
  }
  return model;
}

std::vector<float> AllScales(const Model& model) {
  std::vector<float> scales;
  for (const Block& block : model.blocks) {
    for (const Linear& linear : block.linears) {
      const auto& factors = std::get<FactoredWeight>(linear.weight);
      for (const auto* part : {&factors.a, &factors.mid, &factors.b})
        scales.insert(scales.end(), part->begin(), part->end());
    }
  }
  return scales;
}

class DistillTest : public ::testing::Test {
 protected:
  const Model dense_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  const CalibrationText text_ = RandomText(dense_.config.vocabulary);
  ThreadPool pool_{2};
};

TEST_F(DistillTest, LowersTheHeldOutDivergence) {
  Model student = CrudelyFactored(dense_);
  const DistillResult result = Distill(student, dense_, text_, {.steps = 40}, pool_, {});
  EXPECT_EQ(result.steps, 40u);
  ASSERT_GE(result.curve.size(), 3u);
  EXPECT_LT(result.curve.back().held_out, 0.9 * result.curve.front().held_out);
  // What is in the model is what was measured: a run without steps finds the same divergence, but for fp16
  // scales.
  const DistillResult measured = Distill(student, dense_, text_, {}, pool_, {});
  EXPECT_NEAR(measured.curve.front().held_out, result.curve.back().held_out,
              0.01 * result.curve.back().held_out);
}

TEST_F(DistillTest, ResumesBitForBitOnAnyNumberOfThreads) {
  Model whole = CrudelyFactored(dense_), halves = whole;
  Distill(whole, dense_, text_, {.steps = 10}, pool_, {});

  // The state as a killed job leaves it: saved after the steps were decided by a time budget, here after the
  // first.
  std::optional<DistillState> saved;
  Model lost = halves;
  Distill(lost, dense_, text_, {.seconds = 1e-9, .save = [&](const DistillState& state) { saved = state; }},
          pool_, {});
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->step, 5u);
  saved->total_steps = 10;
  ThreadPool one(1);
  Distill(halves, dense_, text_, {.steps = 10, .resume = saved}, one, {});
  EXPECT_THAT(AllScales(halves), ElementsAreArray(AllScales(whole)));
}

TEST_F(DistillTest, NeverEndsWorseThanItBegan) {
  Model student = CrudelyFactored(dense_);
  const std::vector<float> before = [&] {
    Model rounded = student;
    Distill(rounded, dense_, text_, {}, pool_, {});  // rounds the scales to fp16
    return AllScales(rounded);
  }();
  const DistillResult result =
      Distill(student, dense_, text_, {.steps = 5, .learning_rate = 30.0}, pool_, {});
  EXPECT_GT(result.curve.back().held_out, result.curve.front().held_out);  // such a rate destroys the model
  EXPECT_EQ(AllScales(student), before);
}

}  // namespace
}  // namespace addend
