// The loops of vector_ops.h over the vectors of one target: see simd_inl.h.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>

namespace addend::ADDEND_SIMD {

// exp by range reduction x = n ln 2 + r, |r| <= ln 2 / 2, and the degree-6 Taylor-like polynomial of Cephes'
// expf (https://www.netlib.org/cephes/, single/expf.c: relative error 1.7e-7 on that range).
ADDEND_TARGET inline Floats Exp(Floats x) {
  const Floats clamped = Min(Set(88.0f), Max(Set(-87.0f), x));  // in this order NaN stays NaN
  const Floats n = Round(clamped * Set(1.44269504088896341f));
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  const Floats r = MultiplyAdd(n, Set(2.12194440e-4f), MultiplyAdd(n, Set(-0.693359375f), clamped));
  Floats p = Set(1.9875691500e-4f);
  p = MultiplyAdd(p, r, Set(1.3981999507e-3f));
  p = MultiplyAdd(p, r, Set(8.3334519073e-3f));
  p = MultiplyAdd(p, r, Set(4.1665795894e-2f));
  p = MultiplyAdd(p, r, Set(1.6666665459e-1f));
  p = MultiplyAdd(p, r, Set(5.0000001201e-1f));
  p = MultiplyAdd(p * r, r, r + Set(1.0f));
  return p * PowerOfTwo(n);
}

// Absolute error below 3e-7.
ADDEND_TARGET inline Floats Tanh(Floats x) {
  return Set(1.0f) - Set(2.0f) / (Exp(x + x) + Set(1.0f));
}

ADDEND_TARGET inline Floats Silu(Floats x) {
  return x / (Set(1.0f) + Exp(Set(0.0f) - x));
}

ADDEND_TARGET inline Floats GeluTanh(Floats x) {
  constexpr float kSqrtTwoOverPi = 0.797884560802865f;
  const Floats inner = Set(kSqrtTwoOverPi) * MultiplyAdd(Set(0.044715f) * x * x, x, x);
  return Set(0.5f) * x * (Set(1.0f) + Tanh(inner));
}

ADDEND_TARGET inline Floats CapSoftly(Floats cap, Floats x) {
  return cap * Tanh(x / cap);
}

ADDEND_TARGET inline float Dot(const float* a, const float* b, size_t n) {
  Floats sums[2] = {Set(0), Set(0)};  // two, to hide some of the latency of the additions
  size_t i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    sums[0] = MultiplyAdd(Load(a + i), Load(b + i), sums[0]);
    sums[1] = MultiplyAdd(Load(a + i + kWidth), Load(b + i + kWidth), sums[1]);
  }
  for (; i + kWidth <= n; i += kWidth) sums[0] = MultiplyAdd(Load(a + i), Load(b + i), sums[0]);
  sums[1] = MultiplyAdd(Load(a + i, n - i), Load(b + i, n - i), sums[1]);
  return Sum(sums[0] + sums[1]);
}

ADDEND_TARGET inline void Axpy(float alpha, const float* x, size_t n, float* y) {
  const Floats a = Set(alpha);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(y + i, MultiplyAdd(a, Load(x + i), Load(y + i)));
  Store(y + i, MultiplyAdd(a, Load(x + i, n - i), Load(y + i, n - i)), n - i);
}

ADDEND_TARGET inline void Scale(float alpha, float* values, size_t n) {
  const Floats a = Set(alpha);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(values + i, a * Load(values + i));
  Store(values + i, a * Load(values + i, n - i), n - i);
}

ADDEND_TARGET inline void RmsNorm(const float* x, const float* gain, size_t n, float epsilon, float* y) {
  const float mean_square = Dot(x, x, n) / static_cast<float>(n);
  const Floats scale = Set(1.0f / std::sqrt(mean_square + epsilon));
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(y + i, Load(x + i) * scale * Load(gain + i));
  Store(y + i, Load(x + i, n - i) * scale * Load(gain + i, n - i), n - i);
}

ADDEND_TARGET inline float LargestOf(const float* values, size_t n) {
  Floats largest = Set(-std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) largest = Max(largest, Load(values + i));
  float result = Largest(largest);
  for (; i < n; ++i) result = values[i] > result ? values[i] : result;
  return result;
}

// values <- exp(values - shift); returns their sum. Nothing is smaller than exp(-87) = 2e-38, which stands
// for 0.
ADDEND_TARGET inline float ExpAndSum(float* values, size_t n, float shift) {
  const Floats s = Set(shift);
  Floats sums = Set(0);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Floats e = Exp(Load(values + i) - s);
    Store(values + i, e);
    sums = sums + e;
  }
  float tail[kWidth + 1] = {};
  Store(tail, Exp(Load(values + i, n - i) - s));
  float sum = Sum(sums);
  for (size_t k = 0; k < n - i; ++k) {
    values[i + k] = tail[k];
    sum += tail[k];
  }
  return sum;
}

ADDEND_TARGET inline void Softmax(float* values, size_t n) {
  const float sum = ExpAndSum(values, n, LargestOf(values, n));
  Scale(1.0f / sum, values, n);
}

ADDEND_TARGET inline void SiluGate(const float* gate, const float* up, size_t n, float* y) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(y + i, Silu(Load(gate + i)) * Load(up + i));
  Store(y + i, Silu(Load(gate + i, n - i)) * Load(up + i, n - i), n - i);
}

ADDEND_TARGET inline void GeluTanhGate(const float* gate, const float* up, size_t n, float* y) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(y + i, GeluTanh(Load(gate + i)) * Load(up + i));
  Store(y + i, GeluTanh(Load(gate + i, n - i)) * Load(up + i, n - i), n - i);
}

ADDEND_TARGET inline void Softcap(float cap, float* values, size_t n) {
  const Floats c = Set(cap);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(values + i, CapSoftly(c, Load(values + i)));
  Store(values + i, CapSoftly(c, Load(values + i, n - i)), n - i);
}

ADDEND_TARGET inline void Rope(float* head, const float* cosines, const float* sines, size_t half) {
  size_t i = 0;
  for (; i + kWidth <= half; i += kWidth) {
    const Floats a = Load(head + i), b = Load(head + half + i), c = Load(cosines + i), s = Load(sines + i);
    Store(head + i, a * c - b * s);
    Store(head + half + i, b * c + a * s);
  }
  const size_t n = half - i;
  const Floats a = Load(head + i, n), b = Load(head + half + i, n), c = Load(cosines + i, n),
               s = Load(sines + i, n);
  Store(head + i, a * c - b * s, n);
  Store(head + half + i, b * c + a * s, n);
}

}  // namespace addend::ADDEND_SIMD
