// The shared loops, compiled for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd_avx512.h"

#include "kernels/simd_inl.h"
#endif
