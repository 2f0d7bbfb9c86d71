// Inputs that the kernels' tests and the self-test share.
#pragma once
#include <span>
#include <vector>

#include "base/random.h"
#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend {

inline void FillNormal(std::span<float> values, Rng& rng) {
  for (float& v : values) v = rng.Normal();
}

inline std::vector<float> NormalVector(size_t n, Rng& rng) {
  std::vector<float> values(n);
  FillNormal(values, rng);
  return values;
}

inline Matrix NormalMatrix(size_t rows, size_t cols, Rng& rng) {
  Matrix m(rows, cols);
  FillNormal(m.values(), rng);
  return m;
}

// Activations as language models have them: mostly Gaussian, with one outlier in 512 that is fifty times as
// large.
inline Matrix Activations(size_t tokens, size_t cols, Rng& rng) {
  Matrix x = NormalMatrix(tokens, cols, rng);
  for (size_t i = 100; i < x.size(); i += 512) x.values()[i] *= 50;
  return x;
}

}  // namespace addend
