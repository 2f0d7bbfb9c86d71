#include "kernels/simd_kernels.h"

namespace addend {

const SimdKernels& SimdKernelsFor(Target target) {
  switch (target) {
    default:
      return scalar::kSimdKernels;
  }
}

}  // namespace addend
