// For the tests of this folder: random models and matrices, and gradients by finite differences.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>

#include "base/random.h"
#include "model/model.h"
#include "tensor/matrix.h"

namespace addend::test {

inline void FillNormal(Rng& rng, std::span<float> values, float scale = 1) {
  for (float& value : values) value = scale * rng.Normal();
}

inline Matrix RandomMatrix(Rng& rng, size_t rows, size_t cols, float scale = 1) {
  Matrix m(rows, cols);
  FillNormal(rng, m.values(), scale);
  return m;
}

// Positive or negative, away from zero.
inline std::vector<float> RandomScales(Rng& rng, size_t count, float size = 1) {
  std::vector<float> scales(count);
  for (float& scale : scales)
    scale = size * static_cast<float>(0.5 + rng.Uniform()) * (rng.Next() % 8 == 0 ? -1 : 1);
  return scales;
}

inline FactoredWeight RandomFactors(Rng& rng, size_t outputs, size_t inputs, size_t rank) {
  FactoredWeight factors;
  factors.A = SignMatrix::FromDense(RandomMatrix(rng, outputs, rank));
  factors.B = SignMatrix::FromDense(RandomMatrix(rng, rank, inputs));
  factors.a = RandomScales(rng, outputs);
  factors.mid = RandomScales(rng, rank, 1 / std::sqrt(static_cast<float>(inputs * rank)));
  factors.b = RandomScales(rng, inputs);
  return factors;
}

inline Linear DenseLinear(Rng& rng, size_t outputs, size_t inputs, bool bias = false) {
  Linear linear;
  const Matrix weight = RandomMatrix(rng, outputs, inputs, 1 / std::sqrt(static_cast<float>(inputs)));
  linear.weight = StoredMatrix::FromFloats(weight, DType::kF32);
  if (bias) linear.bias = RandomScales(rng, outputs, 0.3f);
  return linear;
}

inline Linear FactoredLinear(Rng& rng, size_t outputs, size_t inputs, size_t rank, bool bias = false) {
  Linear linear;
  linear.weight = RandomFactors(rng, outputs, inputs, rank);
  if (bias) linear.bias = RandomScales(rng, outputs, 0.3f);
  return linear;
}

inline double WeightedSum(ConstMatrixView values, ConstMatrixView weights) {
  double sum = 0;
  for (size_t r = 0; r < values.rows; ++r) {
    for (size_t c = 0; c < values.cols; ++c) sum += static_cast<double>(values(r, c)) * weights(r, c);
  }
  return sum;
}

// Compares `gradient` with differences of loss(), a float32 computation that reads `values`, at up to 40 of
// the values. The stencil's own error is O(step^4), rounding adds about 1e-7 |loss| / step. `tolerance` is
// relative to the largest gradient.
inline void ExpectGradient(const std::string& name, std::span<float> values, std::span<const float> gradient,
                           const std::function<double()>& loss, double tolerance = 2e-3, float step = 0.02f) {
  ASSERT_EQ(values.size(), gradient.size()) << name;
  ASSERT_FALSE(values.empty()) << name;
  float largest = 0;
  for (const float g : gradient) largest = std::max(largest, std::abs(g));
  ASSERT_GT(largest, 0) << name;
  const size_t stride = (values.size() + 39) / 40;
  for (size_t i = 0; i < values.size(); i += stride) {
    const float value = values[i];
    const auto at = [&](float offset) {
      values[i] = value + offset;
      const double result = loss();
      values[i] = value;
      return result;
    };
    const double difference = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
    EXPECT_TRUE(std::abs(difference - gradient[i]) <= tolerance * largest)
        << name << "[" << i << "]: gradient " << gradient[i] << ", by differences " << difference
        << ", largest gradient " << largest;
  }
}

}  // namespace addend::test
