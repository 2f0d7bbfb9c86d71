// The shared loops, compiled for NEON.
#if defined(__aarch64__)
#include "kernels/simd_neon.h"

#include "kernels/simd_inl.h"
#endif
