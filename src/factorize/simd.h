// Inner loops of this folder: written once over vectors of W floats, compiled for each instruction set,
// chosen when the program runs. A loop is a struct with a static, always-inlined member template:
//   struct AddOne {
//     template <size_t W> ADDEND_LOOP static void Run(float* x, size_t count) { ... Vec<W> ... }
//   };
//   RunForTarget<AddOne>(x, count);
// Everything that Run calls must be ADDEND_LOOP too (and no lambdas), or it is compiled for the baseline CPU.
// Vectors go by reference: passing them by value would depend on the instruction set.
#pragma once
#include <cstddef>
#include <cstring>

#include "kernels/target.h"

#define ADDEND_LOOP __attribute__((always_inline)) inline

namespace addend {

template <size_t W>
struct VecOf {
  typedef float Type __attribute__((vector_size(W * sizeof(float))));
};
template <size_t W>
using Vec = typename VecOf<W>::Type;

template <size_t W>
ADDEND_LOOP void Load(const float* from, Vec<W>& to) {
  std::memcpy(&to, from, sizeof to);
}
template <size_t W>
ADDEND_LOOP void Store(const Vec<W>& from, float* to) {
  std::memcpy(to, &from, sizeof from);
}

// Lambert's continued fraction of tanh, cut where its numerator has degree 7; the argument is clamped to
// where the fraction reaches 1. The largest error is 1e-4, far below what an annealing step notices. T: float
// or Vec.
template <typename T>
ADDEND_LOOP void FastTanh(const T& x, T& result) {
  constexpr float kReachesOne = 4.97f;
  const T high = T{} + kReachesOne, low = T{} - kReachesOne;
  T t = x < high ? x : high;  // in this form the compiler makes it a minimum, without a branch
  t = t > low ? t : low;
  const T y = t * t, yy = y * y;
  const T numerator = (135135 + 17325 * y) + yy * (378 + y);
  const T denominator = (135135 + 62370 * y) + yy * (3150 + 28 * y);
  result = t * numerator / denominator;
}

namespace simd_detail {
#if defined(__x86_64__)
template <typename Loop, typename... Args>
__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))) void RunAvx512(Args... args) {
  Loop::template Run<16>(args...);
}
template <typename Loop, typename... Args>
__attribute__((target("avx2,fma"))) void RunAvx2(Args... args) {
  Loop::template Run<8>(args...);
}
#endif
}  // namespace simd_detail

// The arguments are copied: pointers, numbers and small structs.
template <typename Loop, typename... Args>
void RunForTarget(Args... args) {
#if defined(__x86_64__)
  if (CurrentTarget() == Target::kAvx512) return simd_detail::RunAvx512<Loop>(args...);
  if (CurrentTarget() == Target::kAvx2) return simd_detail::RunAvx2<Loop>(args...);
#endif
  Loop::template Run<4>(args...);
}

}  // namespace addend
