#include "model/log_probability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace addend {
namespace {

TEST(LogProbabilities, OfKnownOdds) {
  // 1 : 2 : 5, shifted so far that exp would overflow.
  const std::vector<float> logits = {700, 700 + std::log(2.0f), 700 + std::log(5.0f)};
  const LogProbabilities log_p(logits);
  // Floats near 700 are 6e-5 apart.
  EXPECT_NEAR(log_p[0], std::log(1.0 / 8), 6e-5);
  EXPECT_NEAR(log_p[1], std::log(2.0 / 8), 6e-5);
  EXPECT_NEAR(log_p[2], std::log(5.0 / 8), 6e-5);
  EXPECT_EQ(log_p.MostLikely(), 2u);
  EXPECT_EQ(LogProbabilities(std::vector<float>{1, 3, 3}).MostLikely(), 1u);
}

TEST(LogProbabilities, SumOfManySmallOnesIsExact) {
  // 2^17 equal logits: log p = -17 ln 2. A float sum of so many exps would be off by 1e-3.
  const std::vector<float> logits(size_t{1} << 17, 0.1f);
  EXPECT_NEAR(LogProbabilities(logits)[5], -17 * std::log(2.0), 1e-7);
}

TEST(LogProbabilities, BrokenLogitsShowInEveryOne) {
  for (const float broken : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> logits = {1, broken, 2};
    EXPECT_TRUE(std::isnan(LogProbabilities(logits)[0]));
    EXPECT_TRUE(std::isnan(LogProbabilities(logits)[2]));
  }
}

TEST(KlDivergence, OfKnownDistributions) {
  const std::vector<float> p = {std::log(0.5f), std::log(0.25f), std::log(0.25f)};
  const std::vector<float> q = {std::log(0.25f), std::log(0.25f), std::log(0.5f)};
  // 0.5 ln 2 + 0 + 0.25 ln 0.5
  EXPECT_NEAR(KlDivergence(LogProbabilities(p), LogProbabilities(q)), 0.25 * std::log(2.0), 1e-6);
  EXPECT_EQ(KlDivergence(LogProbabilities(p), LogProbabilities(p)), 0);
  const std::vector<float> far = {0, -200, -300};  // p(1) is 0 in a float
  EXPECT_NEAR(KlDivergence(LogProbabilities(far), LogProbabilities(q)), std::log(4.0), 1e-6);
}

}  // namespace
}  // namespace addend
