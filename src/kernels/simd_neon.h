// Vectors of 4 floats: NEON as every AArch64 CPU has it (ARMv8.0). The names are explained in simd_scalar.h
// and simd_avx512.h.
#pragma once
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

#define ADDEND_SIMD neon
#define ADDEND_TARGET  // the baseline of the architecture

namespace addend::neon {

using Floats = float32x4_t;
constexpr size_t kWidth = 4;
constexpr size_t kQueryTile = 6;

// One line for each operation where it fits.
// clang-format off
inline Floats Load(const float* p) { return vld1q_f32(p); }
inline Floats Load(const float* p, size_t n) {
  const float zeros[3] = {};
  switch (n) {
    case 0: return vld1q_dup_f32(zeros);
    case 1: return vcombine_f32(vset_lane_f32(p[0], vld1_f32(zeros), 0), vld1_f32(zeros));
    case 2: return vcombine_f32(vld1_f32(p), vld1_f32(zeros));
    default: return vcombine_f32(vld1_f32(p), vset_lane_f32(p[2], vld1_f32(zeros), 0));
  }
}
inline void Store(float* p, Floats v) { vst1q_f32(p, v); }
inline void Store(float* p, Floats v, size_t n) {
  for (size_t i = 0; i < n; ++i) p[i] = v[i];
}

inline uint16x4_t Load16(const uint16_t* p) { return vld1_u16(p); }
inline uint16x4_t Load16(const uint16_t* p, size_t n) {
  uint16_t values[kWidth] = {};
  std::memcpy(values, p, n * sizeof(uint16_t));
  return Load16(values);
}
inline uint8x8_t Load8(const void* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return vcreate_u8(bytes);
}
inline Floats Half(uint16x4_t v) { return vcvt_f32_f16(vreinterpret_f16_u16(v)); }
inline Floats BFloat16(uint16x4_t v) { return vreinterpretq_f32_u32(vshll_n_u16(v, 16)); }

inline Floats LoadHalf(const uint16_t* p) { return Half(Load16(p)); }
inline Floats LoadHalf(const uint16_t* p, size_t n) { return Half(Load16(p, n)); }
inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16(Load16(p)); }
inline Floats LoadBFloat16(const uint16_t* p, size_t n) { return BFloat16(Load16(p, n)); }
inline Floats FromInt8(int8x8_t v) { return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(v)))); }
inline Floats LoadInt8(const int8_t* p) { return FromInt8(vreinterpret_s8_u8(Load8(p))); }
// A nibble n is n - 8.
inline Floats FromNibbles(uint8x8_t n) { return FromInt8(vsub_s8(vreinterpret_s8_u8(n), vdup_n_s8(8))); }
inline Floats LoadLowNibbles(const uint8_t* p) { return FromNibbles(vand_u8(Load8(p), vdup_n_u8(15))); }
inline Floats LoadHighNibbles(const uint8_t* p) { return FromNibbles(vshr_n_u8(Load8(p), 4)); }

inline Floats ByBits(uint32_t bits, float zero, float one) {
  constexpr uint32_t kBits[kWidth] = {1, 2, 4, 8};
  return vbslq_f32(vtstq_u32(vdupq_n_u32(bits), vld1q_u32(kBits)), vdupq_n_f32(one), vdupq_n_f32(zero));
}

inline Floats Set(float value) { return vdupq_n_f32(value); }
inline Floats SetHalf(uint16_t half) { return vdupq_n_f32(HalfToFloat(half)); }
inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
// NaN when either is NaN: x86 gives b then, which the loops do not depend on.
inline Floats Max(Floats a, Floats b) { return vmaxq_f32(a, b); }
inline Floats Min(Floats a, Floats b) { return vminq_f32(a, b); }
inline Floats Round(Floats v) { return vrndnq_f32(v); }
inline Floats PowerOfTwo(Floats n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
inline float Sum(Floats v) { return vaddvq_f32(v); }
inline float Largest(Floats v) { return vmaxvq_f32(v); }

// ---- For sign products (sign_lanes_inl.h) ----
using Ints = int16x8_t;

inline Floats Abs(Floats v) { return vabsq_f32(v); }
inline Floats SumsOfFour(Floats v) { return vdupq_n_f32(vaddvq_f32(v)); }
inline Floats InverseOrZero(Floats a, Floats b, Floats smallest) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a / b), vcgtq_f32(b, smallest)));
}

inline Floats ZipLow(Floats a, Floats b) { return vzip1q_f32(a, b); }
inline Floats ZipHigh(Floats a, Floats b) { return vzip2q_f32(a, b); }
inline Floats ZipPairsLow(Floats a, Floats b) { return vcombine_f32(vget_low_f32(a), vget_low_f32(b)); }
inline Floats ZipPairsHigh(Floats a, Floats b) { return vcombine_f32(vget_high_f32(a), vget_high_f32(b)); }
inline void TransposeParts(Floats*) {}  // there is one only

inline Ints ZeroInts() { return vdupq_n_s16(0); }
inline Ints LoadInts(const uint8_t* p) { return vreinterpretq_s16_u8(vld1q_u8(p)); }
inline void StoreInts(uint8_t* p, Ints v) { vst1q_u8(p, vreinterpretq_u8_s16(v)); }
inline Ints Add16(Ints a, Ints b) { return vaddq_s16(a, b); }
inline Ints Subtract16(Ints a, Ints b) { return vsubq_s16(a, b); }
inline Ints Interleave16(Floats even, Floats odd) {
  return vreinterpretq_s16_s32(vsliq_n_s32(vcvtnq_s32_f32(even), vcvtnq_s32_f32(odd), 16));
}
inline Floats EvenTimes65536(Ints v) { return vcvtq_f32_s32(vshlq_n_s32(vreinterpretq_s32_s16(v), 16)); }
inline Floats OddTimes65536(Ints v) {
  return vcvtq_f32_s32(vandq_s32(vreinterpretq_s32_s16(v), vdupq_n_s32(static_cast<int>(0xffff0000))));
}
// clang-format on

}  // namespace addend::neon
