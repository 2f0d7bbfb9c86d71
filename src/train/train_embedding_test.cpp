#include "train/train_embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "train/test_support.h"

namespace addend {
namespace {

using test::ExpectGradient;
using test::RandomMatrix;

class TrainEmbeddingTest : public ::testing::Test {
 protected:
  TrainEmbeddingTest() {
    model_.config.hidden = 20;
    model_.config.vocabulary = 33;
    model_.config.embedding_scale = 1.5f;
    model_.embedding = test::FactoredLinear(rng_, 33, 20, 9);
  }

  Rng rng_{1};
  Model model_;
  ThreadPool pool_{2};
  Workspace workspace_{pool_};
  const std::vector<TokenId> ids_ = {3, 32, 0, 3, 17, 3, 8};  // one of them often
};

TEST_F(TrainEmbeddingTest, RowsAreThoseOfTheDenseMatrix) {
  const Matrix dense = model_.embedding.ToDense();
  const TrainEmbedding embedding(model_, nullptr);
  Matrix x(ids_.size(), 20), same(ids_.size(), 20);
  embedding.Forward(ids_, x, workspace_);
  Embed(model_.embedding, model_.config, ids_, same, pool_);
  for (size_t t = 0; t < ids_.size(); ++t) {
    for (size_t c = 0; c < 20; ++c) {
      EXPECT_NEAR(x(t, c), 1.5f * dense(ids_[t], c), 1e-5);
      EXPECT_NEAR(same(t, c), 1.5f * dense(ids_[t], c), 1e-5);
    }
  }
}

TEST_F(TrainEmbeddingTest, GradientsMatchFiniteDifferences) {
  const TrainEmbedding embedding(model_, nullptr);
  EXPECT_FALSE(embedding.tied());
  const Matrix dx = RandomMatrix(rng_, ids_.size(), 20);
  LinearGradient gradient = embedding.MakeGradient();
  embedding.AddGradient(ids_, dx, &gradient, workspace_);
  Matrix x(ids_.size(), 20);
  const auto loss = [&] {
    embedding.Forward(ids_, x, workspace_);
    return test::WeightedSum(x, dx);
  };
  ExpectGradient("a", embedding.a(), gradient.a, loss);
  ExpectGradient("mid", embedding.mid(), gradient.mid, loss);
  ExpectGradient("b", embedding.b(), gradient.b, loss);
}

TEST_F(TrainEmbeddingTest, ATiedOneReadsTheScalesOfTheHead) {
  TrainLinear head(model_.embedding);
  const TrainEmbedding embedding(model_, &head);
  EXPECT_TRUE(embedding.tied());
  Matrix before(ids_.size(), 20), after(ids_.size(), 20);
  embedding.Forward(ids_, before, workspace_);
  for (float& a : head.a()) a *= 2;
  embedding.Forward(ids_, after, workspace_);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_FLOAT_EQ(after.values()[i], 2 * before.values()[i]);
}

TEST_F(TrainEmbeddingTest, RefusesUnknownTokens) {
  const TrainEmbedding embedding(model_, nullptr);
  Matrix x(1, 20);
  EXPECT_THAT([&] { embedding.Forward(std::vector<TokenId>{33}, x, workspace_); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("token id 33")));
}

}  // namespace
}  // namespace addend
