#include "model/runnable_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace addend {
namespace {

Matrix RandomMatrix(size_t rows, size_t cols, uint64_t seed) {
  Rng rng(seed);
  Matrix m(rows, cols);
  for (float& value : m.values()) value = rng.Normal();
  return m;
}

// y = w x + bias in double precision, and the error that float32 sums may make: each of the `cols` additions
// rounds a partial sum that is at most sum |w x|.
void ExpectProduct(const Matrix& w, std::span<const float> bias, const Matrix& x, const Matrix& y,
                   const char* what) {
  for (size_t t = 0; t < x.rows(); ++t) {
    for (size_t r = 0; r < w.rows(); ++r) {
      double sum = bias.empty() ? 0 : bias[r], magnitude = std::abs(sum);
      for (size_t c = 0; c < w.cols(); ++c) {
        sum += double{w(r, c)} * x(t, c);
        magnitude += std::abs(double{w(r, c)} * x(t, c));
      }
      ASSERT_NEAR(y(t, r), sum, static_cast<double>(w.cols()) * 0x1p-24 * magnitude)
          << what << ", token " << t << " of " << x.rows() << ", output " << r;
    }
  }
}

// One token and eight take the kernels that read stored rows; nine and more decode tiles.
constexpr size_t kTokens[] = {1, 3, 8, 9, 65};

TEST(RunnableLinear, DenseWeightsOfEveryType) {
  ThreadPool pool(2);
  WeightMemory memory;
  for (const size_t outputs : {1, 130, 515}) {  // one tile, two, and four of unequal size
    const Matrix weight = RandomMatrix(outputs, 64, 1);
    const std::vector<float> bias(outputs, 0.25f);
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_1, DType::kQ5_0,
                             DType::kQ4_1, DType::kQ4_0}) {
      const Linear linear{StoredMatrix::FromFloats(weight, type), bias};
      const RunnableLinear runnable(linear, memory, pool);
      EXPECT_EQ(runnable.outputs(), outputs);
      EXPECT_EQ(runnable.inputs(), 64u);
      for (const size_t tokens : kTokens) {
        const Matrix x = RandomMatrix(tokens, 64, 2);
        Matrix y(tokens, outputs);
        runnable.Apply(x, y, pool, Precision::kNear);
        ExpectProduct(linear.ToDense(), bias, x, y, Info(type).name.data());
      }
    }
  }
}

// Decoded to F16, which holds these values exactly.
TEST(RunnableLinear, DenseTypesWithoutAKernel) {
  ThreadPool pool(1);
  WeightMemory memory;
  // A Q6_K block of 256: low nibbles 3 and 12, high bits 0, all 16 scales 2, and d = 0.5.
  std::vector<std::byte> block(128, std::byte{0xc3});
  block.resize(128 + 64, std::byte{0});
  block.resize(128 + 64 + 16, std::byte{2});
  block.insert(block.end(), {std::byte{0x00}, std::byte{0x38}});
  const StoredMatrix stored(DType::kQ6_K, 1, 256, block);
  const RunnableLinear runnable(Linear{stored, {}}, memory, pool);
  Matrix x(1, 256), y(1, 1);
  for (size_t c = 0; c < 256; ++c) x(0, c) = c % 128 < 64 ? 1 : 3;
  runnable.Apply(x, y, pool, Precision::kNear);
  // Of each 128 values, the first half are low nibbles: 3 - 32 = -29, then 12 - 32 = -20.
  EXPECT_FLOAT_EQ(y(0, 0), 128 * -29.0f + 128 * 3 * -20.0f);
}

TEST(RunnableLinear, FactoredWeights) {
  ThreadPool pool(2);
  WeightMemory memory;
  Rng rng(3);
  FactoredWeight factors{SignMatrix::FromDense(RandomMatrix(70, 33, 4)),
                         SignMatrix::FromDense(RandomMatrix(33, 50, 5)), std::vector<float>(70),
                         std::vector<float>(33), std::vector<float>(50)};
  for (auto* scale : {&factors.a, &factors.mid, &factors.b}) {
    for (float& value : *scale) value = static_cast<float>(0.5 + rng.Uniform());
  }
  const std::vector<float> bias(70, -1);
  const RunnableLinear runnable(Linear{factors, bias}, memory, pool);
  const Matrix weight = factors.ToDense();
  for (const size_t tokens : kTokens) {
    const Matrix x = RandomMatrix(tokens, 50, 6);
    Matrix y(tokens, 70);
    runnable.Apply(x, y, pool, Precision::kExact);
    for (size_t t = 0; t < tokens; ++t) {
      double magnitude = 0;  // of what each of the 33 inner sums adds up
      for (size_t c = 0; c < 50; ++c) magnitude += std::abs(double{factors.b[c]} * x(t, c));
      for (size_t r = 0; r < 70; ++r) {
        double sum = bias[r];
        for (size_t c = 0; c < 50; ++c) sum += double{weight(r, c)} * x(t, c);
        // Scales are below 1.5. ToDense rounds too: hence twice the error of 50 and 33 additions.
        ASSERT_NEAR(y(t, r), sum, 2 * (50 + 33) * 0x1p-24 * 1.5 * 1.5 * 33 * magnitude)
            << tokens << " tokens";
      }
    }
  }
}

}  // namespace
}  // namespace addend
