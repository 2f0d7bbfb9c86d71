#include "factorize/simd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace addend {
namespace {

struct TanhLoop {
  template <size_t W>
  ADDEND_LOOP static void Run(const float* x, float* result, size_t count) {
    for (size_t i = 0; i + W <= count; i += W) {
      Vec<W> v, t;
      Load<W>(x + i, v);
      FastTanh(v, t);
      Store<W>(t, result + i);
    }
  }
};

constexpr double kTanhError = 1.1e-4;  // measured: 1.0e-4, where the argument is clamped

TEST(FastTanh, IsCloseToTanhOnEveryTarget) {
  std::vector<float> x;
  for (float value = -12; value <= 12; value += 1.0f / 512) x.push_back(value);
  x.resize(x.size() / 16 * 16);
  for (const Target target : RunnableTargets()) {
    ForceTarget(Name(target));
    std::vector<float> result(x.size());
    RunForTarget<TanhLoop>(static_cast<const float*>(x.data()), result.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      float scalar;
      FastTanh(x[i], scalar);
      ASSERT_NEAR(result[i], std::tanh(x[i]), kTanhError) << Name(target) << " at " << x[i];
      ASSERT_NEAR(result[i], scalar, 5e-7) << Name(target) << " at " << x[i];
    }
  }
  ForceTarget(Name(RunnableTargets().front()));
}

TEST(FastTanh, IsOddExactAtZeroAndBoundedForAnyArgument) {
  for (const float x : {0.0f, 1e-30f, 0.5f, 3.0f, 4.97f, 100.0f, 1e30f, INFINITY}) {
    float plus, minus;
    FastTanh(x, plus);
    FastTanh(-x, minus);
    EXPECT_EQ(plus, -minus) << x;
    EXPECT_LE(plus, 1 + 1e-6f) << x;
  }
  float zero;
  FastTanh(0.0f, zero);
  EXPECT_EQ(zero, 0);
}

}  // namespace
}  // namespace addend
