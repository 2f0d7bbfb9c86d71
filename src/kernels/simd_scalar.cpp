// The shared loops, compiled for plain floats: the reference.
#include "kernels/simd_scalar.h"

#include "kernels/simd_inl.h"
