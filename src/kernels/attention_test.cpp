#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "kernels/every_target_test.h"
#include "kernels/test_inputs.h"

namespace addend {
namespace {

class AttentionOn : public OnEveryTarget {};
INSTANTIATE_TEST_SUITE_P(EveryTarget, AttentionOn, AllTargets(), TargetName);

// A cache of exactly `positions` positions, so that a read behind it is an error under AddressSanitizer.
struct Cache {
  Cache(size_t positions, size_t head_dim, Rng& rng)
      : keys(NormalVector(positions * head_dim, rng)),
        values(NormalVector(positions * head_dim, rng)),
        dim(head_dim) {}
  KvHead<float> Head() const { return {keys.data(), values.data(), dim, dim}; }
  std::vector<float> keys, values;
  size_t dim;
};

// The first token sees only itself: its output is its value, for any scores.
TEST_P(AttentionOn, GivesTheFirstTokenItsOwnValue) {
  Rng rng(1);
  const Cache cache(1, 24, rng);
  const Matrix queries = NormalMatrix(1, 48, rng);
  Matrix out(1, 48);
  Attention(cache.Head(), queries, 0, {}, out);
  for (size_t i = 0; i < 48; ++i) EXPECT_FLOAT_EQ(out(0, i), cache.values[i % 24]);
}

TEST_P(AttentionOn, AveragesWhenAllScoresAreEqual) {
  Rng rng(2);
  const Cache cache(100, 8, rng);
  const Matrix queries(1, 8);  // zeros
  Matrix out(1, 8);
  Attention(cache.Head(), queries, 99, {}, out);
  for (size_t d = 0; d < 8; ++d) {
    double mean = 0;
    for (size_t p = 0; p < 100; ++p) mean += cache.values[p * 8 + d] / 100;
    EXPECT_NEAR(out(0, d), mean, 1e-6);
  }
}

TEST_P(AttentionOn, IsTheSameTokenByTokenAsForAPrompt) {
  Rng rng(3);
  const Cache cache(150, 40, rng);
  for (const size_t window : {0, 1, 30, 70}) {
    const AttentionOptions options = {0.2f, 0, window};
    const Matrix queries = NormalMatrix(150, 80, rng);
    Matrix at_once(150, 80), one(1, 80);
    Attention(cache.Head(), queries, 0, options, at_once);
    for (size_t t = 0; t < 150; ++t) {
      Attention(cache.Head(), queries.view().Rows(t, 1), t, options, one);
      for (size_t i = 0; i < 80; ++i)
        ASSERT_NEAR(at_once(t, i), one(0, i), 2e-6) << "window " << window << ", token " << t;
    }
  }
}

TEST_P(AttentionOn, SurvivesHugeScores) {
  Rng rng(4);
  const Cache cache(70, 8, rng);
  const Matrix queries = NormalMatrix(70, 8, rng);
  Matrix out(70, 8);
  Attention(cache.Head(), queries, 0, {1e6f}, out);
  for (const float v : out.values()) EXPECT_TRUE(std::isfinite(v));
}

TEST_P(AttentionOn, ShowsNanInTheTokensThatSeeIt) {
  Rng rng(5);
  Cache cache(100, 8, rng);
  cache.keys[50 * 8 + 3] = std::nanf("");
  const Matrix queries = NormalMatrix(100, 8, rng);
  Matrix out(100, 8);
  Attention(cache.Head(), queries, 0, {}, out);
  for (size_t t = 0; t < 100; ++t) EXPECT_EQ(std::isnan(out(t, 0)), t >= 50) << t;
}

TEST_P(AttentionOn, RefusesShapesThatDoNotFit) {
  Rng rng(6);
  const Cache cache(2, 8, rng);
  Matrix queries(1, 12), out(1, 12), narrow(1, 8);
  EXPECT_THROW(Attention(cache.Head(), queries, 0, {}, out), Error);
  EXPECT_THROW(Attention(cache.Head(), narrow, 0, {}, out), Error);
}

}  // namespace
}  // namespace addend
