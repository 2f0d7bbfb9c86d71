// The table of one target's shared loops: included last by each simd_<target>.cpp.
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
    DenseBlocks<Q4_0Block>,
    Attention<uint16_t>,
    Attention<float>,
};

}  // namespace addend::ADDEND_SIMD
