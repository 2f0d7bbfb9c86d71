#include "train/rms_norm.h"

#include <gtest/gtest.h>

#include "train/test_support.h"

namespace addend {
namespace {

TEST(RmsNorm, OfOneRowByHand) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const Matrix x(1, 2, {3, 4});  // mean square 12.5
  Matrix y(1, 2);
  RmsNorm(x, std::vector<float>{1, 2}, 0, y, workspace);
  EXPECT_FLOAT_EQ(y(0, 0), 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(y(0, 1), 8 / std::sqrt(12.5f));
}

TEST(RmsNorm, BackwardMatchesFiniteDifferencesAndAdds) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  Rng rng(1);
  for (const size_t rows : {1, 3, 65}) {
    const size_t cols = 37;
    const float epsilon = 0.1f;  // large enough to matter
    Matrix x = test::RandomMatrix(rng, rows, cols), y(rows, cols);
    std::vector<float> gain = test::RandomScales(rng, cols);
    const Matrix dy = test::RandomMatrix(rng, rows, cols);
    const auto loss = [&] {
      RmsNorm(x, gain, epsilon, y, workspace);
      return test::WeightedSum(y, dy);
    };
    Matrix dx(rows, cols);
    std::vector<float> d_gain(cols);
    RmsNormBackward(x, gain, epsilon, dy, dx, d_gain, workspace);
    test::ExpectGradient("x", x.values(), dx.values(), loss);
    test::ExpectGradient("gain", gain, d_gain, loss);

    Matrix twice = dx;
    RmsNormBackward(x, gain, epsilon, dy, twice, {}, workspace);
    for (size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(twice.values()[i], 2 * dx.values()[i], 1e-5);
  }
}

}  // namespace
}  // namespace addend
