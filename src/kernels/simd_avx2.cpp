// The shared loops, compiled for AVX2.
#if defined(__x86_64__)
#include "kernels/simd_avx2.h"

#include "kernels/simd_inl.h"
#endif
