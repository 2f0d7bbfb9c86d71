#include "train/train_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "train/test_support.h"

namespace addend {
namespace {

using test::ExpectGradient;
using test::RandomMatrix;

constexpr size_t kHidden = 20, kVocabulary = 70;

Model HeadOnly(uint64_t seed, float softcap = 0, size_t vocabulary = kVocabulary) {
  Rng rng(seed);
  Model model;
  model.config.hidden = kHidden;
  model.config.vocabulary = vocabulary;
  model.config.logit_softcap = softcap;
  model.embedding.weight =
      StoredMatrix::FromFloats(RandomMatrix(rng, vocabulary, kHidden, 0.5f), DType::kF32);
  model.final_norm = test::RandomScales(rng, kHidden);
  return model;
}

// log softmax of one row, in double.
std::vector<double> SlowLogProbabilities(const Model& model, std::span<const float> normed) {
  const Matrix head = model.HeadMatrix().ToDense();
  std::vector<double> logits(head.rows());
  double sum = 0;
  for (size_t i = 0; i < head.rows(); ++i) {
    for (size_t c = 0; c < kHidden; ++c) logits[i] += static_cast<double>(head(i, c)) * normed[c];
    const double cap = model.config.logit_softcap;
    if (cap != 0) logits[i] = cap * std::tanh(logits[i] / cap);
    sum += std::exp(logits[i]);
  }
  for (double& logit : logits) logit -= std::log(sum);
  return logits;
}

std::vector<TokenId> RandomTargets(Rng& rng, size_t rows) {
  std::vector<TokenId> targets(rows);
  for (TokenId& target : targets) target = static_cast<TokenId>(rng.Below(kVocabulary));
  targets[rows / 2] = kNoTarget;
  return targets;
}

TEST(TrainHead, CrossEntropyMatchesDoubleAndFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const float softcap : {0.0f, 3.0f}) {
    const Model model = HeadOnly(1, softcap);
    TrainHead head(model);
    Rng rng(2);
    Matrix x = RandomMatrix(rng, 7, kHidden), dx;
    const std::vector<TokenId> targets = RandomTargets(rng, x.rows());
    HeadGradients gradients = head.MakeGradients();
    const double loss = head.CrossEntropy(x, targets, &dx, &gradients, workspace);

    const Matrix normed = head.Normed(x, workspace);
    double expected = 0;
    for (size_t t = 0; t < x.rows(); ++t) {
      if (targets[t] != kNoTarget) expected -= SlowLogProbabilities(model, normed.Row(t))[targets[t]] / 6;
    }
    EXPECT_NEAR(loss, expected, 2e-6);
    const auto again = [&] { return head.CrossEntropy(x, targets, nullptr, nullptr, workspace); };
    EXPECT_EQ(again(), loss);
    ExpectGradient("x", x.values(), dx.values(), again);
    ExpectGradient("final_norm", head.final_norm(), gradients.final_norm, again);
  }
}

// The gradient of the head matrix, by differences over models.
TEST(TrainHead, WeightGradientMatchesFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  Model model = HeadOnly(1);
  Matrix weight = model.embedding.ToDense();
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 7, kHidden);
  const std::vector<TokenId> targets = RandomTargets(rng, x.rows());
  const TrainHead head(model);
  HeadGradients gradients = head.MakeGradients(/*wants_weight=*/true);
  head.CrossEntropy(x, targets, nullptr, &gradients, workspace);
  ExpectGradient("head", weight.values(), gradients.weight.values(), [&] {
    model.embedding.weight = StoredMatrix::FromFloats(weight, DType::kF32);
    return TrainHead(model).CrossEntropy(x, targets, nullptr, nullptr, workspace);
  });
}

TEST(TrainHead, AFactoredHeadHasTheGradientsOfItsScales) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const float softcap : {0.0f, 3.0f}) {
    Model model = HeadOnly(1, softcap), dense = model;
    Rng rng(2);
    model.embedding = test::FactoredLinear(rng, kVocabulary, kHidden, 11);
    dense.embedding.weight = StoredMatrix::FromFloats(model.embedding.ToDense(), DType::kF32);
    TrainHead head(model);
    Matrix x = RandomMatrix(rng, 7, kHidden), dx;
    const std::vector<TokenId> targets = RandomTargets(rng, x.rows());
    HeadGradients gradients = head.MakeGradients();
    const double loss = head.CrossEntropy(x, targets, &dx, &gradients, workspace);
    EXPECT_NEAR(loss, TrainHead(dense).CrossEntropy(x, targets, nullptr, nullptr, workspace), 1e-5);
    const auto again = [&] { return head.CrossEntropy(x, targets, nullptr, nullptr, workspace); };
    ExpectGradient("x", x.values(), dx.values(), again);
    ExpectGradient("final_norm", head.final_norm(), gradients.final_norm, again);
    ExpectGradient("a", head.factored()->a(), gradients.factors.a, again);
    ExpectGradient("mid", head.factored()->mid(), gradients.factors.mid, again);
    ExpectGradient("b", head.factored()->b(), gradients.factors.b, again);
  }
}

TEST(TrainHead, LogitImportanceIsTheVarianceOfTheModelsOwnChoice) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  const Model model = HeadOnly(1, 3.0f);
  const TrainHead head(model);
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 7, kHidden), normed = head.Normed(x, workspace);
  std::vector<double> expected(kVocabulary);
  for (size_t t = 0; t < x.rows(); ++t) {
    const std::vector<double> logs = SlowLogProbabilities(model, normed.Row(t));
    for (size_t i = 0; i < kVocabulary; ++i) expected[i] += std::exp(logs[i]) * (1 - std::exp(logs[i])) / 7;
  }
  const std::vector<float> importance = head.LogitImportance(x, workspace);
  for (size_t i = 0; i < kVocabulary; ++i) EXPECT_NEAR(importance[i], expected[i], 1e-6) << i;
}

TEST(TrainHead, DivergenceMatchesDoubleAndFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const float softcap : {0.0f, 3.0f}) {
    const Model teacher_model = HeadOnly(3, softcap), model = HeadOnly(1, softcap);
    const TrainHead teacher(teacher_model);
    TrainHead head(model);
    Rng rng(2);
    Matrix x = RandomMatrix(rng, 6, kHidden), dx;
    const Matrix teacher_normed = teacher.Normed(RandomMatrix(rng, 6, kHidden), workspace);
    HeadGradients gradients = head.MakeGradients();
    const double loss = head.KlDivergence(x, teacher_normed, teacher, &dx, &gradients, workspace);

    const Matrix normed = head.Normed(x, workspace);
    double expected = 0;
    for (size_t t = 0; t < x.rows(); ++t) {
      const std::vector<double> p = SlowLogProbabilities(teacher_model, teacher_normed.Row(t));
      const std::vector<double> q = SlowLogProbabilities(model, normed.Row(t));
      for (size_t i = 0; i < p.size(); ++i) expected += std::exp(p[i]) * (p[i] - q[i]) / 6;
    }
    EXPECT_NEAR(loss, expected, 2e-6);
    const auto again = [&] {
      return head.KlDivergence(x, teacher_normed, teacher, nullptr, nullptr, workspace);
    };
    ExpectGradient("x", x.values(), dx.values(), again);
    ExpectGradient("final_norm", head.final_norm(), gradients.final_norm, again);
  }
}

TEST(TrainHead, DivergenceFromItselfIsZero) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  const TrainHead head(HeadOnly(1));
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 6, kHidden);
  Matrix dx;
  EXPECT_NEAR(head.KlDivergence(x, head.Normed(x, workspace), head, &dx, nullptr, workspace), 0, 1e-6);
  for (const float d : dx.values()) EXPECT_NEAR(d, 0, 1e-7);
}

// A vocabulary of several tiles and rows of several chunks: the ways to go through them agree.
TEST(TrainHead, TilesAndChunksChangeNothing) {
  ThreadPool one(1), three(3);
  Workspace workspace_of_one(one), workspace_of_three(three);
  const Model model = HeadOnly(1, 0, 9001);
  const TrainHead decoded(model), tiled(model, Precision::kExact, /*max_decoded_bytes=*/0);
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 700, kHidden);
  const std::vector<TokenId> targets = RandomTargets(rng, x.rows());
  Matrix dx, dx_of_tiles, dx_of_threads;
  const double loss = decoded.CrossEntropy(x, targets, &dx, nullptr, workspace_of_one);
  EXPECT_NEAR(tiled.CrossEntropy(x, targets, &dx_of_tiles, nullptr, workspace_of_one), loss, 1e-5);
  EXPECT_EQ(decoded.CrossEntropy(x, targets, &dx_of_threads, nullptr, workspace_of_three), loss);
  for (size_t i = 0; i < dx.size(); ++i) {
    EXPECT_NEAR(dx_of_tiles.values()[i], dx.values()[i], 1e-7);
    EXPECT_EQ(dx_of_threads.values()[i], dx.values()[i]);
  }
}

TEST(TrainHead, RowsWithoutTargetsDoNotCount) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const TrainHead head(HeadOnly(1));
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 3, kHidden);
  Matrix dx;
  EXPECT_EQ(head.CrossEntropy(x, std::vector<TokenId>(3, kNoTarget), &dx, nullptr, workspace), 0);
  for (const float d : dx.values()) EXPECT_EQ(d, 0);
}

TEST(TrainHead, RefusesWhatDoesNotFit) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const TrainHead head(HeadOnly(1)), larger(HeadOnly(1, 0, 71));
  const Matrix x(3, kHidden);
  using testing::HasSubstr;
  using testing::ThrowsMessage;
  const auto cross_entropy = [&](std::vector<TokenId> targets) {
    head.CrossEntropy(x, targets, nullptr, nullptr, workspace);
  };
  EXPECT_THAT(
      [&] {
        cross_entropy({1, 70, 2});
      },
      ThrowsMessage<Error>(HasSubstr("target 70 of a vocabulary of 70")));
  EXPECT_THAT([&] { cross_entropy({1}); }, ThrowsMessage<Error>(HasSubstr("3 rows, 1 targets")));
  EXPECT_THAT([&] { head.KlDivergence(x, x, larger, nullptr, nullptr, workspace); },
              ThrowsMessage<Error>(HasSubstr("vocabularies of 71 and 70")));
}

}  // namespace
}  // namespace addend
