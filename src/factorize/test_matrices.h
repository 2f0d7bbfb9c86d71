// Seeded random problems for the tests of this folder.
#pragma once
#include <cmath>

#include "base/random.h"
#include "factorize/factorize.h"
#include "linalg/gemm.h"

namespace addend::test {

inline Matrix RandomMatrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix m(rows, cols);
  Rng rng(seed);
  for (float& value : m.values()) value = rng.Normal();
  return m;
}

inline Matrix RandomSigns(size_t rows, size_t cols, uint64_t seed) {
  Matrix m = RandomMatrix(rows, cols, seed);
  for (float& value : m.values()) value = value >= 0 ? 1.0f : -1.0f;
  return m;
}

// Positive, over about two orders of magnitude.
inline std::vector<float> RandomScales(size_t count, uint64_t seed) {
  std::vector<float> scales(count);
  Rng rng(seed);
  for (float& value : scales) value = std::exp(rng.Normal());
  return scales;
}

// X^T X / tokens of correlated inputs of very different sizes: a common direction plus noise, as in language
// models.
inline Matrix RandomCovariance(size_t size, uint64_t seed) {
  const size_t tokens = 4 * size;
  Matrix inputs = RandomMatrix(tokens, size, seed);
  const std::vector<float> scales = RandomScales(size, seed + 1);
  Rng rng(seed + 2);
  for (size_t t = 0; t < tokens; ++t) {
    const float common = rng.Normal();
    for (size_t j = 0; j < size; ++j) inputs(t, j) = scales[j] * (inputs(t, j) + common);
  }
  Matrix covariance(size, size);
  ThreadPool pool(1);
  AddGram(inputs, 1 / static_cast<float>(tokens), covariance, pool);
  return covariance;
}

inline Matrix RandomCorrelation(size_t size, uint64_t seed) {
  const Matrix covariance = RandomCovariance(size, seed);
  Matrix correlation(size, size);
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      correlation(i, j) = i == j ? 1 : covariance(i, j) / std::sqrt(covariance(i, i) * covariance(j, j));
    }
  }
  return correlation;
}

// A problem that owns its data.
struct RandomProblem {
  RandomProblem(size_t outputs, size_t inputs, uint64_t seed)
      : weight(RandomMatrix(outputs, inputs, seed)),
        output_importance(RandomScales(outputs, seed + 1)),
        covariance(RandomCovariance(inputs, seed + 2)),
        correlation(RandomCorrelation(outputs, seed + 3)) {
    for (size_t j = 0; j < inputs; ++j) input_importance.push_back(covariance(j, j));
  }
  FactorizeProblem Diagonal() const { return {weight, output_importance, input_importance, {}}; }
  FactorizeProblem WithCovariance() const {
    return {weight, output_importance, input_importance, covariance};
  }
  FactorizeProblem WithBothSides() const {
    return {weight, output_importance, input_importance, covariance, correlation};
  }

  Matrix weight;
  std::vector<float> output_importance, input_importance;
  Matrix covariance;
  Matrix correlation;  // of the output gradients
};

}  // namespace addend::test
