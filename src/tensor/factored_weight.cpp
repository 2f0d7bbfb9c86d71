#include "tensor/factored_weight.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/half.h"

namespace addend {
namespace {

double MeanMagnitude(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += std::abs(v);
  return sum / static_cast<double>(values.size());
}

void ScaleAndRound(std::vector<float>& values, int exponent) {
  for (float& v : values) v = RoundToHalf(std::ldexp(v, exponent));
}

void CheckScales(const std::vector<float>& scales, size_t needed, const char* name) {
  if (scales.size() != needed)
    throw Error("factored weight: ", name, " has ", scales.size(), " scales, ", needed, " needed");
  if (FirstNonFinite(scales) != scales.size()) {
    throw Error("factored weight: ", name, "[", FirstNonFinite(scales), "] is not finite");
  }
}

}  // namespace

Matrix FactoredWeight::ToDense() const {
  Matrix dense(outputs(), inputs());
  std::vector<float> row(inputs());
  for (size_t i = 0; i < outputs(); ++i) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (size_t k = 0; k < rank(); ++k) {
      const float scale = A.Sign(i, k) * mid[k];
      for (size_t j = 0; j < inputs(); ++j) row[j] += B.IsPlus(k, j) ? scale : -scale;
    }
    for (size_t j = 0; j < inputs(); ++j) dense(i, j) = a[i] * row[j] * b[j];
  }
  return dense;
}

void FactoredWeight::RoundScalesToHalf() {
  const double mean_a = MeanMagnitude(a), mean_mid = MeanMagnitude(mid), mean_b = MeanMagnitude(b);
  const double product = mean_a * mean_mid * mean_b;
  int exponent_a = 0, exponent_mid = 0;
  if (std::isnormal(
          product)) {  // else a zero matrix, or one that Validate() will refuse: nothing to even out
    const double even = std::cbrt(product);
    exponent_a = static_cast<int>(std::lround(std::log2(even / mean_a)));
    exponent_mid = static_cast<int>(std::lround(std::log2(even / mean_mid)));
  }
  ScaleAndRound(a, exponent_a);
  ScaleAndRound(mid, exponent_mid);
  ScaleAndRound(b, -(exponent_a + exponent_mid));
}

void FactoredWeight::Validate() const {
  if (A.cols() != B.rows()) throw Error("factored weight: A has rank ", A.cols(), ", B has rank ", B.rows());
  CheckScales(a, outputs(), "a");
  CheckScales(mid, rank(), "mid");
  CheckScales(b, inputs(), "b");
}

double BitsPerWeight(size_t outputs, size_t inputs, size_t rank) {
  const double n = static_cast<double>(outputs), m = static_cast<double>(inputs),
               r = static_cast<double>(rank);
  return (r * (n + m) + 16 * (n + m + r)) / (n * m);
}

size_t StoredBytes(size_t outputs, size_t inputs, size_t rank) {
  return outputs * SignMatrix::RowBytes(rank) + rank * SignMatrix::RowBytes(inputs) +
         2 * (outputs + inputs + rank);
}

size_t RankForBits(size_t outputs, size_t inputs, double bits) {
  const double n = static_cast<double>(outputs), m = static_cast<double>(inputs);
  const double exact = (bits * n * m - 16 * (n + m)) / (n + m + 16);
  if (!(exact > 0)) return 0;
  // Rounding must not lose a rank that fits: RankForBits(n, m, BitsPerWeight(n, m, r)) == r.
  const size_t rank = static_cast<size_t>(exact);
  return BitsPerWeight(outputs, inputs, rank + 1) <= bits ? rank + 1 : rank;
}

}  // namespace addend
