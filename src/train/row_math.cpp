#include "train/row_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

// The compiler makes a version of the function for each of these targets and vectorises its loops for it. (On
// other architectures the default is all there is.)
#if defined(__x86_64__)
#define ADDEND_TARGETS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define ADDEND_TARGETS
#endif
// What such a function calls must become part of it, or it would stay at the default target.
#define ADDEND_INLINE inline __attribute__((always_inline))
// Arrays of a loop are the same or do not overlap, so no iteration depends on another.
#if defined(__clang__)
#define ADDEND_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define ADDEND_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace addend {
namespace {

// Sums and maxima run in this many lanes, which is what lets the compiler vectorise them.
constexpr size_t kLanes = 16;

// e^x as 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r by a polynomial (Cephes expf).
ADDEND_INLINE float Exp(float x) {
  constexpr float kToInteger =
      0x1.8p23f;  // adding it rounds to an integer, which then stands in the low bits
  constexpr float kLn2High = 0x1.63p-1f, kLn2Low = -2.12194440e-4f;
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * 1.44269504f + kToInteger;
  const float n = shifted - kToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kToInteger) + 127;
  return p * std::bit_cast<float>(exponent << 23);
}

ADDEND_INLINE float Sigmoid(float x) {
  return 1.0f / (1.0f + Exp(-x));
}

// Both activations are x * sigmoid(Argument(x)).
struct Silu {
  static ADDEND_INLINE float Argument(float x) { return x; }
  static ADDEND_INLINE float Slope(float) { return 1.0f; }
};
// 0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static constexpr float kTwice = 1.5957691216f, kCubic = 0.044715f;
  static ADDEND_INLINE float Argument(float x) { return kTwice * x * (1.0f + kCubic * x * x); }
  static ADDEND_INLINE float Slope(float x) { return kTwice * (1.0f + 3 * kCubic * x * x); }
};

template <typename Function>
ADDEND_INLINE void GateBackwardLoop(size_t size, const float* gate, const float* up, const float* dy,
                                    float* d_gate, float* d_up) {
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) {
    const float x = gate[i], u = up[i], d = dy[i];
    const float s = Sigmoid(Function::Argument(x));
    d_gate[i] = d * u * s * (1.0f + x * (1.0f - s) * Function::Slope(x));
    d_up[i] = d * x * s;
  }
}

ADDEND_TARGETS void GateSiluBackward(size_t size, const float* gate, const float* up, const float* dy,
                                     float* d_gate, float* d_up) {
  GateBackwardLoop<Silu>(size, gate, up, dy, d_gate, d_up);
}
ADDEND_TARGETS void GateGeluBackward(size_t size, const float* gate, const float* up, const float* dy,
                                     float* d_gate, float* d_up) {
  GateBackwardLoop<GeluTanh>(size, gate, up, dy, d_gate, d_up);
}

}  // namespace

ADDEND_TARGETS float RowMax(std::span<const float> x) {
  const float* const values = x.data();
  const size_t size = x.size(), whole = size - size % kLanes;
  float lanes[kLanes];
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] = values[i + j] > lanes[j] ? values[i + j] : lanes[j];
  }
  for (size_t i = whole; i < size; ++i) lanes[i - whole] = std::max(lanes[i - whole], values[i]);
  return *std::max_element(lanes, lanes + kLanes);
}

ADDEND_TARGETS void Add(std::span<const float> x, std::span<const float> y, std::span<float> sum) {
  const float *const a = x.data(), *const b = y.data();
  float* const c = sum.data();
  const size_t size = sum.size();
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) c[i] = a[i] + b[i];
}

ADDEND_TARGETS void Multiply(float scale, std::span<const float> x, std::span<const float> y,
                             std::span<float> product) {
  const float *const a = x.data(), *const b = y.data();
  float* const c = product.data();
  const size_t size = product.size();
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) c[i] = scale * a[i] * b[i];
}

ADDEND_TARGETS void MultiplyAdd(float scale, std::span<const float> x, std::span<const float> y,
                                std::span<float> sum) {
  const float *const a = x.data(), *const b = y.data();
  float* const c = sum.data();
  const size_t size = sum.size();
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) c[i] += scale * a[i] * b[i];
}

ADDEND_TARGETS float ExpShifted(std::span<const float> x, float shift, std::span<float> y) {
  const float* const from = x.data();
  float* const to = y.data();
  const size_t size = y.size(), whole = size - size % kLanes;
  float lanes[kLanes] = {};
  for (size_t i = 0; i < whole; i += kLanes) {
    ADDEND_INDEPENDENT
    for (size_t j = 0; j < kLanes; ++j) {
      const float value = Exp(from[i + j] - shift);
      to[i + j] = value;
      lanes[j] += value;
    }
  }
  for (size_t i = whole; i < size; ++i) lanes[i - whole] += to[i] = Exp(from[i] - shift);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

ADDEND_TARGETS void SoftcapBackward(std::span<const float> capped, float cap, std::span<float> gradient) {
  const float* const c = capped.data();
  float* const g = gradient.data();
  const size_t size = gradient.size();
  const float inverse = 1 / cap;
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) g[i] *= 1 - (c[i] * inverse) * (c[i] * inverse);
}

void GateBackward(Activation activation, std::span<const float> gate, std::span<const float> up,
                  std::span<const float> dy, std::span<float> d_gate, std::span<float> d_up) {
  (activation == Activation::kSilu ? GateSiluBackward : GateGeluBackward)(
      dy.size(), gate.data(), up.data(), dy.data(), d_gate.data(), d_up.data());
}

ADDEND_TARGETS void SoftmaxBackward(std::span<const float> p, float mean_dp, std::span<const float> dp,
                                    std::span<float> ds) {
  const float *const probability = p.data(), *const from = dp.data();
  float* const to = ds.data();
  const size_t size = ds.size();
  ADDEND_INDEPENDENT
  for (size_t i = 0; i < size; ++i) to[i] = probability[i] * (from[i] - mean_dp);
}

ADDEND_TARGETS double DivergenceBackward(std::span<const float> p_logits, float p_norm,
                                         std::span<const float> q_logits, float q_norm, float weight,
                                         std::span<float> gradient) {
  const float *const p_from = p_logits.data(), *const q_from = q_logits.data();
  float* const to = gradient.data();
  const size_t size = gradient.size();
  double sum = 0;
  for (size_t first = 0; first < size; first += kLanes) {
    const size_t count = size - first < kLanes ? size - first : kLanes;
    float terms[kLanes] = {};
    ADDEND_INDEPENDENT
    for (size_t j = 0; j < count; ++j) {
      const float log_p = p_from[first + j] - p_norm, log_q = q_from[first + j] - q_norm;
      const float p = Exp(log_p);
      to[first + j] = weight * (Exp(log_q) - p);
      terms[j] = p * (log_p - log_q);
    }
    for (const float term : terms) sum += term;
  }
  return sum;
}

}  // namespace addend
