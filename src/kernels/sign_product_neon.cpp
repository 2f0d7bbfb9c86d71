// Sign products for NEON.
#if defined(__aarch64__)
#include "kernels/sign_kernels.h"
#include "kernels/simd_neon.h"

namespace addend::neon {
namespace {

// ---- What sign_bytes_inl.h needs ----

using Bytes = uint8x16_t;

// One line for each operation where it fits.
// clang-format off
inline Bytes LoadBytes(const uint8_t* p) { return vld1q_u8(p); }
inline void StoreBytes(uint8_t* p, Bytes v) { vst1q_u8(p, v); }
inline Bytes ZipLow8(Bytes a, Bytes b) { return vzip1q_u8(a, b); }
inline Bytes ZipHigh8(Bytes a, Bytes b) { return vzip2q_u8(a, b); }
inline uint16x8_t As16(Bytes v) { return vreinterpretq_u16_u8(v); }
inline uint32x4_t As32(Bytes v) { return vreinterpretq_u32_u8(v); }
inline Bytes ZipLow16(Bytes a, Bytes b) { return vreinterpretq_u8_u16(vzip1q_u16(As16(a), As16(b))); }
inline Bytes ZipHigh16(Bytes a, Bytes b) { return vreinterpretq_u8_u16(vzip2q_u16(As16(a), As16(b))); }
inline Bytes ZipLow32(Bytes a, Bytes b) { return vreinterpretq_u8_u32(vzip1q_u32(As32(a), As32(b))); }
inline Bytes ZipHigh32(Bytes a, Bytes b) { return vreinterpretq_u8_u32(vzip2q_u32(As32(a), As32(b))); }
inline Bytes LowNibbles(Bytes v) { return vandq_u8(v, vdupq_n_u8(15)); }
inline Bytes HighNibbles(Bytes v) { return vshrq_n_u8(v, 4); }
inline Bytes LoadTable(const uint8_t* p) { return LoadBytes(p); }
inline Bytes LookUp(Bytes table, Bytes indices) { return vqtbl1q_u8(table, indices); }
inline Bytes Add8(Bytes a, Bytes b) { return vaddq_u8(a, b); }
// clang-format on

// Sums of 16 bits of the first and of the last eight bytes.
struct ByteSums {
  uint16x8_t halves[2];
};

inline void AddBytes(Bytes v, ByteSums& sums) {
  sums.halves[0] = vaddw_u8(sums.halves[0], vget_low_u8(v));
  sums.halves[1] = vaddw_high_u8(sums.halves[1], v);
}

constexpr size_t RowOfByte(size_t byte) {
  return byte;
}

inline void CombineDigits(const ByteSums& low, const ByteSums& high, int bias, Floats sums[4]) {
  constexpr uint16_t kHighDigit = 128;
  for (size_t h = 0; h < 2; ++h) {
    const uint16x8_t lows = low.halves[h], highs = high.halves[h];
    const uint32x4_t parts[2] = {
        vmlal_n_u16(vmovl_u16(vget_low_u16(lows)), vget_low_u16(highs), kHighDigit),
        vmlal_n_u16(vmovl_u16(vget_high_u16(lows)), vget_high_u16(highs), kHighDigit)};
    for (size_t i = 0; i < 2; ++i)
      sums[2 * h + i] = vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(parts[i]), vdupq_n_s32(bias)));
  }
}

inline void StoreDigits(const Floats entries[4], uint8_t* to) {
  uint8x8_t low[2], high[2];
  for (size_t i = 0; i < 2; ++i) {
    const uint16x8_t integers = vcombine_u16(vqmovn_u32(vcvtnq_u32_f32(entries[2 * i])),
                                             vqmovn_u32(vcvtnq_u32_f32(entries[2 * i + 1])));
    low[i] = vmovn_u16(vandq_u16(integers, vdupq_n_u16(127)));
    high[i] = vqshrn_n_u16(integers, 7);
  }
  StoreBytes(to, vcombine_u8(low[0], low[1]));
  StoreBytes(to + 16, vcombine_u8(high[0], high[1]));
}

}  // namespace
}  // namespace addend::neon

#include "kernels/sign_bytes_inl.h"

namespace addend {

const SignKernels kNeonSignKernels = {neon::PackBlock,  neon::BuildTables, neon::Few,      neon::LoadLanes,
                                      neon::StoreLanes, neon::ManyNear,    neon::ManyExact};

}  // namespace addend
#endif
