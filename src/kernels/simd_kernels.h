// The loops that are written once (*_inl.h) over a target's vectors (simd_<target>.h) and compiled for each
// target: the table through which the public functions reach them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/activation_digits.h"
#include "kernels/attention.h"
#include "kernels/target.h"
#include "tensor/matrix.h"

namespace addend {

// How rows of one type are multiplied: y(t, r) = row r of w . x.Row(t), for y.cols rows that follow each
// other at `rows`.
struct DenseKernels {
  void (*exact)(const std::byte* rows, ConstMatrixView x, MatrixView y);
  // From activations in digits; null for plain types, and on targets that do not multiply bytes.
  void (*near)(const std::byte* rows, const ActivationDigits& x, MatrixView y) = nullptr;
  int centre = 0;  // for ActivationDigits
};

// Pointers and lengths as the spans of vector_ops.h.
struct SimdKernels {
  void (*rms_norm)(const float* x, const float* gain, size_t n, float epsilon, float* y);
  void (*softmax)(float* values, size_t n);
  void (*silu_gate)(const float* gate, const float* up, size_t n, float* y);
  void (*gelu_tanh_gate)(const float* gate, const float* up, size_t n, float* y);
  void (*softcap)(float cap, float* values, size_t n);
  void (*rope)(float* head, const float* cosines, const float* sines, size_t half);
  float (*dot)(const float* a, const float* b, size_t n);
  void (*axpy)(float alpha, const float* x, size_t n, float* y);
  void (*scale)(float alpha, float* values, size_t n);

  DenseKernels dense_f32, dense_f16, dense_bf16;
  DenseKernels dense_q8_0, dense_q5_1, dense_q5_0, dense_q4_1, dense_q4_0;

  template <typename T>
  using AttentionKernel = void (*)(const KvHead<T>&, ConstMatrixView, size_t, const AttentionOptions&,
                                   MatrixView);
  AttentionKernel<float> attention_float;
  AttentionKernel<uint16_t> attention_half;
  AttentionKernel<ggml::BlockQ8_0> attention_q8_0;
};

const SimdKernels& SimdKernelsFor(Target target);

namespace scalar {
extern const SimdKernels kSimdKernels;
}
#if defined(__x86_64__)
namespace sse41 {
extern const SimdKernels kSimdKernels;
}
namespace avx2 {
extern const SimdKernels kSimdKernels;
}  // namespace avx2
namespace avx512 {
extern const SimdKernels kSimdKernels;
}  // namespace avx512
#elif defined(__aarch64__)
namespace neon {
extern const SimdKernels kSimdKernels;
}
#endif

}  // namespace addend
