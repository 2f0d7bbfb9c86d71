#include "kernels/vector_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/every_target_test.h"
#include "kernels/test_inputs.h"

namespace addend {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class VectorOps : public OnEveryTarget {};
INSTANTIATE_TEST_SUITE_P(EveryTarget, VectorOps, AllTargets(), TargetName);

// Of two values, the softmax is 1 / (1 + exp(difference)): shows the error of exp over its whole range.
TEST_P(VectorOps, ExpIsAccurateOverItsRange) {
  for (float x = -80; x <= 0; x += 0.037f) {
    std::vector<float> values = {x, 0};
    Softmax(values);
    const double e = std::exp(static_cast<double>(x));
    EXPECT_NEAR(values[0] / (e / (1 + e)), 1, 5e-7) << x;
  }
}

TEST_P(VectorOps, SoftmaxOfEqualValuesIsUniform) {
  for (const size_t n : {1, 5, 16, 33}) {
    std::vector<float> values(n, 1e30f);
    Softmax(values);
    for (const float v : values) EXPECT_NEAR(v, 1.0 / static_cast<double>(n), 1e-7);
  }
}

TEST_P(VectorOps, SoftmaxGivesMaskedValuesNothing) {
  for (const size_t n : {3, 16, 35}) {
    std::vector<float> values(n, -kInfinity);
    values[n / 2] = 3;
    Softmax(values);
    for (size_t i = 0; i < n; ++i) {
      if (i == n / 2) {
        EXPECT_EQ(values[i], 1);
      } else {
        EXPECT_LT(values[i], 1e-37);
      }
    }
  }
}

TEST_P(VectorOps, NanStaysNan) {
  for (const size_t bad : {0, 17, 34}) {
    std::vector<float> values(35, 1), ones(35, 1), y(35);
    values[bad] = kNan;
    SiluGate(values, ones, y);
    EXPECT_TRUE(std::isnan(y[bad]));
    GeluTanhGate(values, ones, y);
    EXPECT_TRUE(std::isnan(y[bad]));
    RmsNorm(values, ones, 1e-5f, y);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_TRUE(std::isnan(Dot(values, ones)));
    Softmax(values);
    EXPECT_TRUE(std::isnan(values[3]));
  }
}

TEST_P(VectorOps, GatesKnowTheirLimits) {
  std::vector<float> gate = {0, 100, -100, -0.0f}, up = {2, 2, 2, 2}, y(4);
  SiluGate(gate, up, y);
  EXPECT_THAT(y, testing::Pointwise(testing::FloatNear(1e-6f), {0.0f, 200.0f, 0.0f, 0.0f}));
  GeluTanhGate(gate, up, y);
  EXPECT_THAT(y, testing::Pointwise(testing::FloatNear(1e-6f), {0.0f, 200.0f, 0.0f, 0.0f}));
  Softcap(30, gate);  // 30 tanh(100 / 30) = 29.923739
  EXPECT_THAT(gate, testing::Pointwise(testing::FloatNear(1e-5f), {0.0f, 29.923739f, -29.923739f, 0.0f}));
}

TEST_P(VectorOps, RopeTurnsAQuarter) {  // cos 0, sin 1: (a, b) becomes (-b, a)
  std::vector<float> head = {1, 2, 3, 4, 5, 6};
  Rope(head, std::vector<float>(3, 0.0f), std::vector<float>(3, 1.0f));
  EXPECT_THAT(head, testing::ElementsAre(-4, -5, -6, 1, 2, 3));
}

TEST_P(VectorOps, WorksInPlace) {
  Rng rng(1);
  const std::vector<float> x = NormalVector(37, rng), gain = NormalVector(37, rng);
  std::vector<float> apart(37), in_place = x;
  RmsNorm(x, gain, 1e-5f, apart);
  RmsNorm(in_place, gain, 1e-5f, in_place);
  EXPECT_EQ(in_place, apart);
  SiluGate(x, gain, apart);
  in_place = x;
  SiluGate(in_place, gain, in_place);
  EXPECT_EQ(in_place, apart);
}

TEST_P(VectorOps, TakesEmptyVectors) {
  std::vector<float> none;
  Axpy(2, none, none);
  Scale(2, none);
  EXPECT_EQ(Dot(none, none), 0);
}

}  // namespace
}  // namespace addend
