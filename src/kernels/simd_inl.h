// The shared loops and one target's table of them. Included once by each simd_<target>.cpp, after
// simd_<target>.h, whose vectors, namespace (ADDEND_SIMD) and function attribute (ADDEND_TARGET) they are
// compiled with.
#pragma once
#include "kernels/attention_inl.h"
#include "kernels/dense_product_inl.h"
#include "kernels/simd_kernels.h"
#include "kernels/vector_ops_inl.h"

namespace addend::ADDEND_SIMD {

const SimdKernels kSimdKernels = {
    RmsNorm,
    Softmax,
    SiluGate,
    GeluTanhGate,
    Softcap,
    Rope,
    Dot,
    Axpy,
    Scale,
    DensePlain<F32Row>,
    DensePlain<F16Row>,
    DensePlain<BF16Row>,
    DenseBlocks<Q8_0Block>,
    DenseBlocks<Q5_1Block>,
    DenseBlocks<Q5_0Block>,
    DenseBlocks<Q4_1Block>,
    DenseBlocks<Q4_0Block>,
    Attention<float>,
    Attention<uint16_t>,
    Attention<ggml::BlockQ8_0>,
};

}  // namespace addend::ADDEND_SIMD
