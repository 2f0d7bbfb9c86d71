// Vectors of 16 floats: AVX-512. The names are explained in simd_scalar.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/intrinsics.h"

#define ADDEND_SIMD avx512
#define ADDEND_MULTIPLIES_BYTES  // it has what block_product_inl.h needs
// Set on functions, not on files: with -mavx512f for a whole file, an inline std:: function compiled in it
// could be the copy that the linker keeps for every caller.
#define ADDEND_TARGET \
  __attribute__((target("avx2,fma,f16c,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni")))

namespace addend::avx512 {

using Floats = __m512;
constexpr size_t kWidth = 16;
constexpr size_t kQueryTile = 6;

// One line for each operation where it fits.
// clang-format off
ADDEND_TARGET inline __mmask16 First(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

ADDEND_TARGET inline Floats Load(const float* p) { return _mm512_loadu_ps(p); }
ADDEND_TARGET inline Floats Load(const float* p, size_t n) { return _mm512_maskz_loadu_ps(First(n), p); }
ADDEND_TARGET inline void Store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
ADDEND_TARGET inline void Store(float* p, Floats v, size_t n) { _mm512_mask_storeu_ps(p, First(n), v); }

ADDEND_TARGET inline __m256i Load16(const uint16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
ADDEND_TARGET inline __m256i Load16(const uint16_t* p, size_t n) {
  return _mm256_maskz_loadu_epi16(First(n), p);
}
ADDEND_TARGET inline __m128i Load8(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
ADDEND_TARGET inline Floats BFloat16(__m256i v) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p) { return _mm512_cvtph_ps(Load16(p)); }
ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p, size_t n) { return _mm512_cvtph_ps(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16(Load16(p)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p, size_t n) { return BFloat16(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadInt8(const int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(Load8(p)));
}
// A nibble n is n - 8: the permutation, which looks at 4 bits only, is a table of the 16 values.
ADDEND_TARGET inline Floats FromNibbles(__m512i n) {
  return _mm512_permutexvar_ps(n, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7));
}
ADDEND_TARGET inline Floats LoadLowNibbles(const uint8_t* p) { return FromNibbles(_mm512_cvtepu8_epi32(Load8(p))); }
ADDEND_TARGET inline Floats LoadHighNibbles(const uint8_t* p) {
  return FromNibbles(_mm512_srli_epi32(_mm512_cvtepu8_epi32(Load8(p)), 4));
}

ADDEND_TARGET inline Floats ByBits(uint32_t bits, float zero, float one) {
  return _mm512_mask_blend_ps(static_cast<__mmask16>(bits), _mm512_set1_ps(zero), _mm512_set1_ps(one));
}

ADDEND_TARGET inline Floats Set(float value) { return _mm512_set1_ps(value); }
ADDEND_TARGET inline Floats SetHalf(uint16_t half) { return _mm512_set1_ps(_cvtsh_ss(half)); }
ADDEND_TARGET inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
ADDEND_TARGET inline Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
ADDEND_TARGET inline Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
ADDEND_TARGET inline Floats Round(Floats v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ADDEND_TARGET inline Floats PowerOfTwo(Floats n) { return _mm512_scalef_ps(_mm512_set1_ps(1), n); }
ADDEND_TARGET inline float Sum(Floats v) { return _mm512_reduce_add_ps(v); }
ADDEND_TARGET inline float Largest(Floats v) { return _mm512_reduce_max_ps(v); }

// ---- For sign products (sign_lanes_inl.h) ----
using Ints = __m512i;  // of 16 bits

ADDEND_TARGET inline Floats Abs(Floats v) { return _mm512_abs_ps(v); }
// In each element, the sum of the aligned four elements that it belongs to.
ADDEND_TARGET inline Floats SumsOfFour(Floats v) {
  const Floats pairs = v + _mm512_permute_ps(v, 0xb1);
  return pairs + _mm512_permute_ps(pairs, 0x4e);
}
// a / b where b > smallest, else 0.
ADDEND_TARGET inline Floats InverseOrZero(Floats a, Floats b, Floats smallest) {
  return _mm512_maskz_div_ps(_mm512_cmp_ps_mask(b, smallest, _CMP_GT_OQ), a, b);
}

// Of each 128 bits the lower, or the upper, halves of a and b: a0 b0 a1 b1; and in pairs: a0 a1 b0 b1.
ADDEND_TARGET inline Floats ZipLow(Floats a, Floats b) { return _mm512_unpacklo_ps(a, b); }
ADDEND_TARGET inline Floats ZipHigh(Floats a, Floats b) { return _mm512_unpackhi_ps(a, b); }
ADDEND_TARGET inline Floats ZipPairsLow(Floats a, Floats b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
ADDEND_TARGET inline Floats ZipPairsHigh(Floats a, Floats b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
// Exchanges part j of row 4 i + k and part i of row 4 j + k, where a part has four floats.
ADDEND_TARGET inline void TransposeParts(Floats rows[kWidth]) {
  for (size_t k = 0; k < 4; ++k) {
    const Floats a = _mm512_shuffle_f32x4(rows[k], rows[4 + k], 0x44),
                 b = _mm512_shuffle_f32x4(rows[k], rows[4 + k], 0xee);
    const Floats c = _mm512_shuffle_f32x4(rows[8 + k], rows[12 + k], 0x44),
                 d = _mm512_shuffle_f32x4(rows[8 + k], rows[12 + k], 0xee);
    rows[k] = _mm512_shuffle_f32x4(a, c, 0x88);
    rows[4 + k] = _mm512_shuffle_f32x4(a, c, 0xdd);
    rows[8 + k] = _mm512_shuffle_f32x4(b, d, 0x88);
    rows[12 + k] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

ADDEND_TARGET inline Ints ZeroInts() { return _mm512_setzero_si512(); }
ADDEND_TARGET inline Ints LoadInts(const uint8_t* p) { return _mm512_load_si512(p); }
ADDEND_TARGET inline void StoreInts(uint8_t* p, Ints v) { _mm512_store_si512(p, v); }
ADDEND_TARGET inline Ints Add16(Ints a, Ints b) { return _mm512_add_epi16(a, b); }
ADDEND_TARGET inline Ints Subtract16(Ints a, Ints b) { return _mm512_sub_epi16(a, b); }
// Rounded to nearest: `even` becomes the even elements, `odd` the odd ones; and back, times 65536.
ADDEND_TARGET inline Ints Interleave16(Floats even, Floats odd) {
  return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_cvtps_epi32(even),
                                 _mm512_slli_epi32(_mm512_cvtps_epi32(odd), 16));
}
ADDEND_TARGET inline Floats EvenTimes65536(Ints v) { return _mm512_cvtepi32_ps(_mm512_slli_epi32(v, 16)); }
ADDEND_TARGET inline Floats OddTimes65536(Ints v) {
  return _mm512_cvtepi32_ps(_mm512_and_si512(v, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}

// ---- For products with blocks (block_product_inl.h) ----
using BlockBytes = __m512i;
constexpr size_t kVectorBlocks = 2;
constexpr size_t kManyRows = 4, kManyTokens = 4;  // accumulators and numbers fit 32 registers

ADDEND_TARGET inline BlockBytes LoadDigits(const void* p) { return _mm512_loadu_si512(p); }
// 32 bytes of each of two blocks.
ADDEND_TARGET inline BlockBytes LoadBlocks(const std::byte* p, size_t stride) {
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
                second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + stride));
  return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}
ADDEND_TARGET inline BlockBytes FlipTopBits(BlockBytes v) { return _mm512_xor_si512(v, _mm512_set1_epi8(-128)); }
// Of each block the low nibbles of 16 bytes, then the high ones.
ADDEND_TARGET inline BlockBytes LoadNibbles(const std::byte* p, size_t stride) {
  const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
                second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + stride));
  const __m512i twice = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(first), 0xff00, second);
  return _mm512_and_si512(_mm512_srlv_epi64(twice, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(15));
}
// Adds 16 to the bytes whose bit is 1 of the 32 at p, and of the 32 of the second block.
ADDEND_TARGET inline BlockBytes AddFifthBits(BlockBytes v, const std::byte* p, size_t stride) {
  uint32_t first, second;
  std::memcpy(&first, p, sizeof first);
  std::memcpy(&second, p + stride, sizeof second);
  return _mm512_mask_add_epi8(v, first | static_cast<uint64_t>(second) << 32, v, _mm512_set1_epi8(16));
}
// The halves at p, each in the lanes of its block.
ADDEND_TARGET inline Floats BlockHalves(const std::byte* p, size_t stride) {
  int16_t first, second;
  std::memcpy(&first, p, sizeof first);
  std::memcpy(&second, p + stride, sizeof second);
  return _mm512_cvtph_ps(_mm256_mask_set1_epi16(_mm256_set1_epi16(first), 0xff00, second));
}
// start + 128 v . high + v . low, four bytes at a time.
ADDEND_TARGET inline Floats DotDigits(BlockBytes v, BlockBytes high, BlockBytes low, BlockBytes start) {
  const __m512i highs = _mm512_dpbusd_epi32(_mm512_setzero_si512(), v, high);
  const __m512i lows = _mm512_dpbusd_epi32(start, v, low);
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(highs, 7), lows));
}
// clang-format on

}  // namespace addend::avx512
