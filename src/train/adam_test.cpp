#include "train/adam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::vector<AdamParameter> One(std::vector<float>& values, const std::vector<float>& gradient, double rate) {
  return {{"x", values, gradient, rate}};
}

// With corrected means the first step is rate * g / (|g| + epsilon), whatever the betas.
TEST(Adam, FirstStepIsTheLearningRate) {
  Adam adam;
  std::vector<float> x = {1, 1, 1};
  const std::vector<float> gradient = {0.001f, -50, 0};
  adam.Step(One(x, gradient, 0.25));
  EXPECT_NEAR(x[0], 0.75, 1e-5);
  EXPECT_NEAR(x[1], 1.25, 1e-6);
  EXPECT_EQ(x[2], 1);
}

// By hand, betas 0.5 and 0.5, epsilon 0, gradients 1 then 3:
// m = 0.5, then 1.75, over 0.75; v = 0.5, then 4.75, over 0.75.
TEST(Adam, SecondStepByHand) {
  Adam adam({.beta1 = 0.5, .beta2 = 0.5, .epsilon = 0});
  std::vector<float> x = {0};
  adam.Step(One(x, {1}, 1));
  EXPECT_FLOAT_EQ(x[0], -1);
  adam.Step(One(x, {3}, 1));
  EXPECT_NEAR(x[0], -1 - (1.75 / 0.75) / std::sqrt(4.75 / 0.75), 1e-6);
}

TEST(Adam, ReachesTheMinimumOfAQuadratic) {
  Adam adam;
  std::vector<float> x = {3, -4}, gradient(2);
  for (int step = 0; step < 2000; ++step) {
    gradient = {2 * (x[0] - 1), 20 * (x[1] + 2)};
    adam.Step(One(x, gradient, 0.05 * (1 - step / 2000.0)));
  }
  EXPECT_NEAR(x[0], 1, 1e-3);
  EXPECT_NEAR(x[1], -2, 1e-3);
}

TEST(Adam, GoesOnFromASavedState) {
  const auto gradient = [](const std::vector<float>& x) { return std::vector<float>{x[0] - 1, x[1] * x[1]}; };
  std::vector<float> x = {2, 3};
  Adam adam;
  for (int step = 0; step < 5; ++step) adam.Step(One(x, gradient(x), 0.1));
  std::vector<float> resumed_x = x;
  Adam resumed;
  resumed.set_state(adam.state());
  for (int step = 0; step < 5; ++step) {
    adam.Step(One(x, gradient(x), 0.1));
    resumed.Step(One(resumed_x, gradient(resumed_x), 0.1));
  }
  EXPECT_EQ(x, resumed_x);
}

TEST(Adam, RefusesWhatDoesNotFitAndChangesNothing) {
  Adam adam;
  std::vector<float> x = {1}, y = {1, 2};
  const std::vector<float> good = {1}, bad = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<AdamParameter> both = {{"x", x, good, 1}, {"y", y, bad, 1}};
  EXPECT_THAT([&] { adam.Step(both); }, ThrowsMessage<Error>(HasSubstr("'y' is nan at 1")));
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(adam.state().steps, 0u);
  EXPECT_THAT([&] { adam.Step(One(y, good, 1)); },
              ThrowsMessage<Error>(HasSubstr("2 values and 1 gradients")));
  adam.Step(One(x, good, 1));
  EXPECT_THAT([&] { adam.Step(One(y, y, 1)); }, ThrowsMessage<Error>(HasSubstr("saved moments")));
}

}  // namespace
}  // namespace addend
