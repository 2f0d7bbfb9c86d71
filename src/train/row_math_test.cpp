#include "train/row_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "train/test_support.h"

namespace addend {
namespace {

constexpr size_t kSizes[] = {1, 15, 16, 17, 33, 100};  // around the lanes of the loops

std::vector<float> Normal(uint64_t seed, size_t size, float scale = 1) {
  Rng rng(seed);
  std::vector<float> values(size);
  test::FillNormal(rng, values, scale);
  return values;
}

TEST(RowMath, MaxAndSums) {
  EXPECT_EQ(RowMax({}), -std::numeric_limits<float>::infinity());
  for (const size_t size : kSizes) {
    const std::vector<float> x = Normal(size, size), y = Normal(size + 1, size);
    EXPECT_EQ(RowMax(x), *std::max_element(x.begin(), x.end()));
    std::vector<float> sum(size), product(size), added = y;
    Add(x, y, sum);
    Multiply(2, x, y, product);
    MultiplyAdd(-3, x, y, added);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_EQ(sum[i], x[i] + y[i]);
      EXPECT_FLOAT_EQ(product[i], 2 * x[i] * y[i]);
      EXPECT_NEAR(added[i], y[i] - 3 * x[i] * y[i], 1e-6 * (1 + std::abs(y[i]) + std::abs(3 * x[i] * y[i])));
    }
  }
}

// Exhaustive over a grid: the polynomial is good to about 1.7e-7, rounding of the result adds 6e-8.
TEST(RowMath, ExpIsAccurateOverItsRange) {
  std::vector<float> x, y(1);
  for (float value = -87; value <= 88; value += 0.0037f) {
    ExpShifted(std::vector<float>{value}, 0, y);
    EXPECT_NEAR(y[0] / std::exp(static_cast<double>(value)), 1, 3e-7) << value;
  }
  ExpShifted(std::vector<float>{-1000}, 0, y);
  EXPECT_LT(y[0], 2e-38f);
  ExpShifted(std::vector<float>{std::numeric_limits<float>::quiet_NaN()}, 0, y);
  EXPECT_TRUE(std::isnan(y[0]));
}

TEST(RowMath, ExpShiftedSumsWhatItStores) {
  for (const size_t size : kSizes) {
    std::vector<float> x = Normal(size, size, 3);
    double sum = 0;
    for (const float value : x) sum += std::exp(static_cast<double>(value) - 1.5);
    EXPECT_NEAR(ExpShifted(x, 1.5f, x) / sum, 1, 1e-6) << size;
  }
}

double GatedInDouble(Activation activation, double gate, double up) {
  if (activation == Activation::kSilu) return gate / (1 + std::exp(-gate)) * up;
  return 0.5 * gate * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * up;
}

TEST(RowMath, GateBackwardIsTheDerivative) {
  for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    for (const size_t size : kSizes) {
      std::vector<float> gate = Normal(size, size, 2), up = Normal(size + 1, size);
      const std::vector<float> dy = Normal(size + 2, size), gates = gate, ups = up;
      GateBackward(activation, gate, up, dy, gate, up);  // in place
      for (size_t i = 0; i < size; ++i) {
        const double h = 1e-5;  // in double: the difference is good to 1e-10
        const auto y = [&](double g, double u) { return GatedInDouble(activation, g, u); };
        const double by_gate = (y(gates[i] + h, ups[i]) - y(gates[i] - h, ups[i])) / (2 * h);
        const double by_up = y(gates[i], 1);
        EXPECT_NEAR(gate[i], dy[i] * by_gate, 2e-6 * (1 + std::abs(ups[i] * dy[i])));
        EXPECT_NEAR(up[i], dy[i] * by_up, 2e-6 * (1 + std::abs(dy[i] * gates[i])));
      }
    }
  }
}

TEST(RowMath, DivergenceOfTwoDistributions) {
  for (const size_t size : kSizes) {
    const std::vector<float> p = Normal(size, size, 2), q = Normal(size + 1, size, 2);
    double p_sum = 0, q_sum = 0;
    for (size_t i = 0; i < size; ++i) p_sum += std::exp(double{p[i]}), q_sum += std::exp(double{q[i]});
    double expected = 0;
    for (size_t i = 0; i < size; ++i) {
      const double log_p = p[i] - std::log(p_sum), log_q = q[i] - std::log(q_sum);
      expected += std::exp(log_p) * (log_p - log_q);
    }
    std::vector<float> gradient = q;
    const double divergence = DivergenceBackward(p, static_cast<float>(std::log(p_sum)), gradient,
                                                 static_cast<float>(std::log(q_sum)), 10, gradient);
    EXPECT_NEAR(divergence, expected, 2e-6);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(gradient[i], 10 * (std::exp(double{q[i]}) / q_sum - std::exp(double{p[i]}) / p_sum), 1e-5);
    }
  }
}

}  // namespace
}  // namespace addend
