// The shared loops, compiled for plain floats: the reference.
#include "kernels/simd_scalar.h"

#include "kernels/simd_kernels.h"
// After the vectors that they are written in.
#include "kernels/attention_inl.h"
#include "kernels/dense_product_inl.h"
#include "kernels/simd_table_inl.h"
#include "kernels/vector_ops_inl.h"
