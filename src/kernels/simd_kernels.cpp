#include "kernels/simd_kernels.h"

namespace addend {

const SimdKernels& SimdKernelsFor(Target target) {
  switch (target) {
#if defined(__x86_64__)
    case Target::kAvx512:
      return avx512::kSimdKernels;
    case Target::kAvx2:
      return avx2::kSimdKernels;
    case Target::kSse41:
      return sse41::kSimdKernels;
#elif defined(__aarch64__)
    case Target::kNeon:
      return neon::kSimdKernels;
#endif
    default:
      return scalar::kSimdKernels;
  }
}

}  // namespace addend
