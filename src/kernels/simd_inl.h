// The shared loops and one target's table of them. Included once by each simd_<target>.cpp, after
// simd_<target>.h, whose vectors, namespace (ADDEND_SIMD) and function attribute (ADDEND_TARGET) they are
// compiled with.
#pragma once
#include "kernels/attention_inl.h"
#include "kernels/dense_product_inl.h"
#include "kernels/simd_kernels.h"
#include "kernels/vector_ops_inl.h"
#if defined(ADDEND_MULTIPLIES_BYTES)
#include "kernels/block_product_inl.h"
#endif

namespace addend::ADDEND_SIMD {

template <typename Decoded, typename Block>
constexpr DenseKernels Blocks() {
#if defined(ADDEND_MULTIPLIES_BYTES)
  return {DenseBlocks<Decoded>, BlockRows<Block>, Numbers<Block>::kCentre};
#else
  return {DenseBlocks<Decoded>};
#endif
}

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
    {DensePlain<F32Row>},
    {DensePlain<F16Row>},
    {DensePlain<BF16Row>},
    Blocks<Q8_0Block, ggml::BlockQ8_0>(),
    Blocks<Q5_1Block, ggml::BlockQ5_1>(),
    Blocks<Q5_0Block, ggml::BlockQ5_0>(),
    Blocks<Q4_1Block, ggml::BlockQ4_1>(),
    Blocks<Q4_0Block, ggml::BlockQ4_0>(),
    Attention<float>,
    Attention<uint16_t>,
    Attention<ggml::BlockQ8_0>,
};

}  // namespace addend::ADDEND_SIMD
