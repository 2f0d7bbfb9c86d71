#include "tune/distill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/random.h"
#include "factorize/factorize.h"
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

std::vector<SignMatrix> AllSigns(const Model& model) {
  std::vector<SignMatrix> signs;
  for (const Block& block : model.blocks) {
    for (const Linear& linear : block.linears) {
      const auto& factors = std::get<FactoredWeight>(linear.weight);
      signs.push_back(factors.A);
      signs.push_back(factors.B);
    }
  }
  return signs;
}

class DistillTest : public ::testing::Test {
 protected:
  const Model dense_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  const CalibrationText text_ = RandomText(dense_.config.vocabulary);
  ThreadPool pool_{2};
};

TEST_F(DistillTest, LowersTheHeldOutDivergence) {
  Model student = CrudelyFactored(dense_);
  const DistillResult result =
      Distill(student, dense_, text_, {.steps = 40, .learning_rate = 1e-2}, pool_, {});
  EXPECT_EQ(result.steps, 40u);
  ASSERT_GE(result.curve.size(), 3u);
  EXPECT_LT(result.curve.back().held_out, 0.9 * result.curve.front().held_out);
  // What is in the model is what was measured: a run without steps finds the same divergence, but for fp16
  // scales.
  const DistillResult measured = Distill(student, dense_, text_, {}, pool_, {});
  EXPECT_NEAR(measured.curve.front().held_out, result.curve.back().held_out,
              0.01 * result.curve.back().held_out);
}

// The scales of embedding and head move as well: with every block as in the original, they alone are left.
TEST_F(DistillTest, TunesAFactoredEmbeddingAndHead) {
  for (const char* name : {"llama", "qwen2"}) {  // an untied head and a tied one
    const Model dense = LoadModel(test::GoldenPath("tiny_models") / name);
    Model student = dense;
    // Factors whose middle scales are off, which all rows show alike.
    const auto factor = [&](Linear& linear, uint64_t seed) {
      const Matrix weight = linear.ToDense();
      FactoredWeight factors =
          Factorize({.weight = weight}, {.effort = Effort::kFast, .rank = 2 * linear.inputs(), .seed = seed},
                    pool_)
              .weight;
      Rng rng(seed);
      for (float& mid : factors.mid) mid *= static_cast<float>(0.5 + rng.Uniform());
      linear.weight = std::move(factors);
    };
    factor(student.embedding, 1);
    if (student.head) factor(*student.head, 2);
    const Model before = student;
    const CalibrationText text = RandomText(dense.config.vocabulary);
    const DistillResult result =
        Distill(student, dense, text, {.steps = 60, .learning_rate = 1e-2}, pool_, {});
    EXPECT_LT(result.curve.back().held_out, 0.9 * result.curve.front().held_out) << name;
    const auto factors = [](const Linear& linear) { return std::get<FactoredWeight>(linear.weight); };
    EXPECT_FALSE(factors(student.embedding) == factors(before.embedding)) << name;
    EXPECT_FALSE(factors(student.HeadMatrix()) == factors(before.HeadMatrix())) << name;
    const DistillResult measured = Distill(student, dense, text, {}, pool_, {});
    EXPECT_NEAR(measured.curve.front().held_out, result.curve.back().held_out,
                0.01 * result.curve.back().held_out);
  }
}

TEST_F(DistillTest, ResumesBitForBitOnAnyNumberOfThreads) {
  const DistillOptions options{.steps = 60, .trains_signs = true, .sign_learning_rate = 0.1};
  Model whole = CrudelyFactored(dense_), halves = whole;
  EXPECT_GT(Distill(whole, dense_, text_, options, pool_, {}).changed_signs, 0u);

  std::optional<DistillState> saved;  // as a killed job leaves it
  Model lost = halves;
  DistillOptions killed = options;
  killed.save_seconds = 0;
  killed.save = [&](const DistillState& state) {
    if (state.step == 23) saved = state;
  };
  Distill(lost, dense_, text_, killed, pool_, {});
  ASSERT_TRUE(saved);
  DistillOptions resumed = options;
  resumed.resume = saved;
  ThreadPool one(1);
  Distill(halves, dense_, text_, resumed, one, {});
  EXPECT_THAT(AllScales(halves), ElementsAreArray(AllScales(whole)));
  EXPECT_TRUE(AllSigns(halves) == AllSigns(whole));
}

TEST_F(DistillTest, SignsLearnToo) {
  Model scales_only = CrudelyFactored(dense_), both = scales_only;
  const DistillResult without = Distill(scales_only, dense_, text_, {.steps = 60}, pool_, {});
  const DistillResult with =
      Distill(both, dense_, text_, {.steps = 60, .trains_signs = true, .sign_learning_rate = 0.1}, pool_, {});
  EXPECT_EQ(without.changed_signs, 0u);
  EXPECT_GT(with.changed_signs, 100u);
  EXPECT_LT(with.curve.back().held_out, without.curve.back().held_out);
  const DistillResult measured = Distill(both, dense_, text_, {}, pool_, {});
  EXPECT_NEAR(measured.curve.front().held_out, with.curve.back().held_out, 0.01 * with.curve.back().held_out);
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
