#include "kernels/dense_product.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/every_target_test.h"
#include "kernels/reference.h"
#include "kernels/test_inputs.h"

namespace addend {
namespace {

class DenseProduct : public OnEveryTarget {
 protected:
  static std::vector<std::byte> Stored(DType type, const Matrix& w) {
    std::vector<std::byte> bytes(BytesOf(type, w.size()));
    Quantize(type, w.values(), bytes);
    return bytes;
  }
  ThreadPool pool_{1};
};
INSTANTIATE_TEST_SUITE_P(EveryTarget, DenseProduct, AllTargets(), TargetName);

constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                            DType::kQ5_1, DType::kQ5_0, DType::kQ4_1, DType::kQ4_0};

// One row of ones' products with unit vectors: every element is read from its place. The values are exact in
// every type.
TEST_P(DenseProduct, PutsEveryElementInItsPlace) {
  Matrix w(2, 64);
  for (size_t c = 0; c < 64; ++c) {
    w(0, c) = static_cast<float>(c % 15) - 8;  // -8 .. 6: what q4_0 holds with scale 1
    w(1, c) = static_cast<float>((c * 7) % 15) - 8;
  }
  for (const DType type : kTypes) {
    const std::vector<std::byte> bytes = Stored(type, w);
    Matrix stored(2, 64);
    Dequantize(type, bytes, stored.values());
    for (size_t c = 0; c < 64; ++c) {
      Matrix x(1, 64), y(1, 2);
      x(0, c) = 1;
      DenseProductFew({type, 2, 64, bytes}, x, y, pool_);
      EXPECT_NEAR(y(0, 0), stored(0, c), 4e-6) << Info(type).name << " " << c;
      EXPECT_NEAR(y(0, 1), stored(1, c), 4e-6) << Info(type).name << " " << c;
    }
  }
}

TEST_P(DenseProduct, IsTheSameForAnyNumberOfThreads) {
  Rng rng(1);
  const Matrix w = NormalMatrix(3000, 96, rng), x = Activations(3, 96, rng);
  for (const DType type : kTypes) {
    const std::vector<std::byte> bytes = Stored(type, w);
    const StoredRows stored = {type, w.rows(), w.cols(), bytes};
    Matrix one(3, w.rows()), three(3, w.rows());
    DenseProductFew(stored, x, one, pool_);
    ThreadPool pool(3);
    DenseProductFew(stored, x, three, pool);
    EXPECT_TRUE(std::equal(one.values().begin(), one.values().end(), three.values().begin()))
        << Info(type).name;
  }
}

TEST_P(DenseProduct, ReadsAndWritesOnlyTheViews) {
  Rng rng(2);
  const Matrix w = NormalMatrix(21, 40, rng), wide_x = NormalMatrix(6, 50, rng);
  const std::vector<std::byte> bytes = Stored(DType::kF16, w);
  const StoredRows stored = {DType::kF16, 21, 40, bytes};
  Matrix wide_y(6, 30);
  std::fill(wide_y.values().begin(), wide_y.values().end(), 5.0f);
  const ConstMatrixView x = wide_x.view().Cols(3, 40);
  DenseProductFew(stored, x, wide_y.view().Cols(4, 21), pool_);
  const reference::DoubleMatrix exact = reference::DenseProduct(stored, x);
  for (size_t t = 0; t < 6; ++t) {
    for (size_t c = 0; c < 30; ++c) {
      if (c < 4 || c >= 25) {
        EXPECT_EQ(wide_y(t, c), 5);
      } else {
        EXPECT_NEAR(wide_y(t, c), exact(t, c - 4), 1e-4);
      }
    }
  }
}

TEST_P(DenseProduct, ShowsInfinityAndNan) {
  Rng rng(3);
  const Matrix w = NormalMatrix(5, 96, rng);
  for (const float broken : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Matrix x = NormalMatrix(5, 96, rng), y(5, 5);
    x(2, 70) = broken;
    for (const DType type : kTypes) {
      for (const Precision precision : {Precision::kNear, Precision::kExact}) {
        const std::vector<std::byte> bytes = Stored(type, w);
        DenseProductFew({type, 5, 96, bytes}, x, y, pool_, precision);
        for (size_t t = 0; t < 5; ++t) {
          for (const float value : y.Row(t))
            EXPECT_EQ(std::isfinite(value), t != 2) << Info(type).name << " " << t;
        }
      }
    }
  }
}

TEST_P(DenseProduct, RefusesWhatDoesNotFit) {
  const std::vector<std::byte> bytes(BytesOf(DType::kQ8_0, 2 * 64));
  Matrix x(1, 64), y(1, 2);
  EXPECT_THROW(DenseProductFew({DType::kQ6_K, 2, 64, bytes}, x, y, pool_), Error);
  EXPECT_THROW(DenseProductFew({DType::kQ8_0, 3, 64, bytes}, x, y, pool_), Error);
  EXPECT_THROW(DenseProductFew({DType::kQ8_0, 2, 64, std::span(bytes).first(100)}, x, y, pool_), Error);
  Matrix odd_x(1, 40);
  EXPECT_THROW(DenseProductFew({DType::kQ8_0, 2, 40, bytes}, odd_x, y, pool_), Error);
}

}  // namespace
}  // namespace addend
