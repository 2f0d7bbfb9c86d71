#include "generate/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"

namespace addend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// All filters off, temperature 1.
SamplingOptions Plain() {
  SamplingOptions options;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  options.temperature = 1;
  return options;
}

// Logits whose softmax gives these.
std::vector<float> FromProbabilities(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3);
  return logits;
}

std::map<TokenId, double> Shares(const SamplingOptions& options, const std::vector<float>& logits,
                                 int draws = 20000) {
  Sampler sampler(options);
  std::map<TokenId, double> shares;
  for (int i = 0; i < draws; ++i) shares[sampler.Sample(logits, {})] += 1.0 / draws;
  return shares;
}

std::set<TokenId> Drawn(const SamplingOptions& options, const std::vector<float>& logits) {
  std::set<TokenId> drawn;
  for (const auto& [id, share] : Shares(options, logits)) drawn.insert(id);
  return drawn;
}

const std::vector<double> kProbabilities = {0.1, 0.4, 0.05, 0.3, 0.15};

TEST(Sampler, TemperatureZeroTakesTheMostLikelyAndOfEqualsTheFirst) {
  SamplingOptions options;
  options.temperature = 0;
  Sampler sampler(options);
  EXPECT_EQ(sampler.Sample(std::vector<float>{1, 5, 2, 5}, {}), 1u);
  EXPECT_EQ(sampler.Sample(std::vector<float>{-3}, {}), 0u);
}

TEST(Sampler, DrawsInProportionToProbability) {
  const auto shares = Shares(Plain(), FromProbabilities(kProbabilities));
  // The standard deviation of a share is at most sqrt(0.25 / 20000) = 0.0035; four of them.
  for (TokenId id = 0; id < 5; ++id) EXPECT_NEAR(shares.at(id), kProbabilities[id], 0.015) << id;
}

TEST(Sampler, TemperatureIsAPowerOfTheProbabilities) {
  SamplingOptions options = Plain();
  options.temperature = 0.5f;  // squares: .01 .16 .0025 .09 .0225, sum .285
  const auto shares = Shares(options, FromProbabilities(kProbabilities));
  EXPECT_NEAR(shares.at(1), 0.16 / 0.285, 0.015);
  EXPECT_NEAR(shares.at(3), 0.09 / 0.285, 0.015);
  options.temperature = 1e-6f;
  EXPECT_THAT(Drawn(options, FromProbabilities(kProbabilities)), ElementsAre(1));
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  SamplingOptions options = Plain();
  options.top_k = 3;
  EXPECT_THAT(Drawn(options, FromProbabilities(kProbabilities)), ElementsAre(1, 3, 4));
  // Equal logits: smaller ids first. Many more than k candidates reach the cut inside the pass.
  EXPECT_THAT(Drawn(options, std::vector<float>(1000, 2.5f)), ElementsAre(0, 1, 2));
  std::vector<float> rising(1000);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<float>(i) * 1e-3f;
  EXPECT_THAT(Drawn(options, rising), ElementsAre(997, 998, 999));
  options.top_k = 5000;
  EXPECT_EQ(Drawn(options, FromProbabilities(kProbabilities)).size(), 5u);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  SamplingOptions options = Plain();
  for (const auto& [top_p, kept] : std::map<float, std::vector<TokenId>>{{0.001f, {1}},
                                                                         {0.39f, {1}},
                                                                         {0.41f, {1, 3}},
                                                                         {0.69f, {1, 3}},
                                                                         {0.8f, {1, 3, 4}},
                                                                         {0.99f, {0, 1, 2, 3, 4}}}) {
    options.top_p = top_p;
    EXPECT_THAT(Drawn(options, FromProbabilities(kProbabilities)), testing::ElementsAreArray(kept)) << top_p;
  }
}

TEST(Sampler, MinPKeepsAShareOfTheBest) {
  SamplingOptions options = Plain();
  options.min_p = 0.3f;  // of 0.4: 0.12
  EXPECT_THAT(Drawn(options, FromProbabilities(kProbabilities)), ElementsAre(1, 3, 4));
  options.min_p = 1;
  EXPECT_THAT(Drawn(options, FromProbabilities(kProbabilities)), ElementsAre(1));
}

TEST(Sampler, RepetitionPenaltyWeakensRecentTokensOnce) {
  SamplingOptions options;
  options.temperature = 0;
  options.repetition_penalty = 2;
  options.repetition_window = 3;
  const std::vector<float> logits = {4, 3, -1, -1.5f};
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<TokenId>{1, 1}), 0u);
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<TokenId>{0}), 1u);           // 4 / 2 < 3
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<TokenId>{0, 0, 1}), 0u);     // 2 (once) > 1.5
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<TokenId>{0, 1, 1, 1}), 0u);  // 0 is out of the window
  const std::vector<float> negative = {-1, -1.5f};
  EXPECT_EQ(Sampler(options).Sample(negative, std::vector<TokenId>{0}), 1u);  // -1 * 2 < -1.5
  EXPECT_EQ(Sampler(options).Sample(negative, std::vector<TokenId>{77}), 0u);
}

TEST(Sampler, SeedsDecide) {
  const std::vector<float> logits(100, 0);
  const auto draw = [&](uint64_t seed) {
    SamplingOptions options = Plain();
    options.seed = seed;
    Sampler sampler(options);
    std::vector<TokenId> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(sampler.Sample(logits, {}));
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, BrokenLogitsAreAnError) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float broken : {std::nanf(""), kInfinity, -kInfinity}) {
    Sampler sampler(Plain());
    EXPECT_THAT(
        [&] {
          sampler.Sample(std::vector<float>{1, 2, broken}, {});
        },
        ThrowsMessage<Error>(HasSubstr("logit of token 2 is")));
  }
  Sampler sampler(Plain());
  EXPECT_THROW(sampler.Sample({}, {}), Error);
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  const auto expect = [](auto member, auto value, const char* name) {
    SamplingOptions options;
    options.*member = value;
    EXPECT_THAT([&] { Sampler sampler(options); }, ThrowsMessage<Error>(HasSubstr(name)));
  };
  expect(&SamplingOptions::temperature, -1.0f, "temperature is -1");
  expect(&SamplingOptions::temperature, std::nanf(""), "temperature");
  expect(&SamplingOptions::top_p, 0.0f, "top-p");
  expect(&SamplingOptions::top_p, 1.5f, "top-p");
  expect(&SamplingOptions::min_p, -0.1f, "min-p");
  expect(&SamplingOptions::repetition_penalty, 0.0f, "repetition penalty");
}

}  // namespace
}  // namespace addend
