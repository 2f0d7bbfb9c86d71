// The shared loops, compiled for SSE4.1.
#if defined(__x86_64__)
#include "kernels/simd_sse41.h"

#include "kernels/simd_inl.h"
#endif
