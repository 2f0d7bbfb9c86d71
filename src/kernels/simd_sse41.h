// Vectors of 4 floats: SSE4.1, for CPUs without AVX2. The names are explained in simd_scalar.h and
// simd_avx512.h.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

#define ADDEND_SIMD sse41
// On functions, not on files: see simd_avx512.h.
#define ADDEND_TARGET __attribute__((target("sse4.1")))

namespace addend::sse41 {

using Floats = __m128;
constexpr size_t kWidth = 4;
constexpr size_t kQueryTile = 2;

// One line for each operation where it fits.
// clang-format off
ADDEND_TARGET inline Floats Load(const float* p) { return _mm_loadu_ps(p); }
ADDEND_TARGET inline Floats Load(const float* p, size_t n) {
  switch (n) {
    case 0: return _mm_setzero_ps();
    case 1: return _mm_setr_ps(p[0], 0, 0, 0);
    case 2: return _mm_setr_ps(p[0], p[1], 0, 0);
    default: return _mm_setr_ps(p[0], p[1], p[2], 0);
  }
}
ADDEND_TARGET inline void Store(float* p, Floats v) { _mm_storeu_ps(p, v); }
ADDEND_TARGET inline void Store(float* p, Floats v, size_t n) {
  for (size_t i = 0; i < n; ++i) p[i] = v[i];
}

ADDEND_TARGET inline __m128i Load16(const uint16_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
ADDEND_TARGET inline __m128i Load16(const uint16_t* p, size_t n) {
  uint16_t values[8] = {};
  std::memcpy(values, p, n * sizeof(uint16_t));
  return Load16(values);
}
ADDEND_TARGET inline __m128i Load8(const void* p) {
  int bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return _mm_cvtsi32_si128(bytes);
}
// As HalfToFloat (tensor/half.h): without F16C.
ADDEND_TARGET inline Floats Half(__m128i v) {
  const __m128i bits = _mm_cvtepu16_epi32(v);
  const Floats sign = _mm_castsi128_ps(_mm_slli_epi32(_mm_and_si128(bits, _mm_set1_epi32(0x8000)), 16));
  const __m128i shifted = _mm_slli_epi32(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)), 13);
  const Floats magnitude = _mm_castsi128_ps(shifted) * _mm_set1_ps(0x1p112f);
  const Floats infinity = _mm_castsi128_ps(_mm_set1_epi32(0x7f800000));
  const Floats special = _mm_and_ps(_mm_cmpge_ps(magnitude, _mm_set1_ps(65536)), infinity);
  return _mm_or_ps(_mm_or_ps(magnitude, special), sign);
}
ADDEND_TARGET inline Floats BFloat16(__m128i v) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(v), 16));
}

ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p) { return Half(Load16(p)); }
ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p, size_t n) { return Half(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16(Load16(p)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p, size_t n) { return BFloat16(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadInt8(const int8_t* p) { return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(Load8(p))); }
// A nibble n is n - 8.
ADDEND_TARGET inline Floats FromNibbles(__m128i n) {
  return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_sub_epi8(_mm_and_si128(n, _mm_set1_epi8(15)), _mm_set1_epi8(8))));
}
ADDEND_TARGET inline Floats LoadLowNibbles(const uint8_t* p) { return FromNibbles(Load8(p)); }
ADDEND_TARGET inline Floats LoadHighNibbles(const uint8_t* p) { return FromNibbles(_mm_srli_epi16(Load8(p), 4)); }

ADDEND_TARGET inline Floats ByBits(uint32_t bits, float zero, float one) {
  const __m128i bit = _mm_setr_epi32(1, 2, 4, 8);
  const __m128i ones = _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32(static_cast<int>(bits)), bit), bit);
  return _mm_blendv_ps(_mm_set1_ps(zero), _mm_set1_ps(one), _mm_castsi128_ps(ones));
}

ADDEND_TARGET inline Floats Set(float value) { return _mm_set1_ps(value); }
ADDEND_TARGET inline Floats SetHalf(uint16_t half) { return _mm_set1_ps(HalfToFloat(half)); }
ADDEND_TARGET inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return a * b + c; }
ADDEND_TARGET inline Floats Max(Floats a, Floats b) { return _mm_max_ps(a, b); }
ADDEND_TARGET inline Floats Min(Floats a, Floats b) { return _mm_min_ps(a, b); }
ADDEND_TARGET inline Floats Round(Floats v) {
  return _mm_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ADDEND_TARGET inline Floats PowerOfTwo(Floats n) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23));
}
ADDEND_TARGET inline float Sum(Floats v) {
  const Floats sum = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}
ADDEND_TARGET inline float Largest(Floats v) {
  const Floats largest = _mm_max_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_max_ss(largest, _mm_movehdup_ps(largest)));
}

// ---- For sign products (sign_lanes_inl.h) ----
using Ints = __m128i;  // of 16 bits

ADDEND_TARGET inline Floats Abs(Floats v) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), v); }
ADDEND_TARGET inline Floats SumsOfFour(Floats v) {
  const Floats pairs = v + _mm_shuffle_ps(v, v, 0xb1);
  return pairs + _mm_shuffle_ps(pairs, pairs, 0x4e);
}
ADDEND_TARGET inline Floats InverseOrZero(Floats a, Floats b, Floats smallest) {
  return _mm_and_ps(a / b, _mm_cmpgt_ps(b, smallest));
}

ADDEND_TARGET inline Floats ZipLow(Floats a, Floats b) { return _mm_unpacklo_ps(a, b); }
ADDEND_TARGET inline Floats ZipHigh(Floats a, Floats b) { return _mm_unpackhi_ps(a, b); }
ADDEND_TARGET inline Floats ZipPairsLow(Floats a, Floats b) { return _mm_movelh_ps(a, b); }
ADDEND_TARGET inline Floats ZipPairsHigh(Floats a, Floats b) { return _mm_movehl_ps(b, a); }
ADDEND_TARGET inline void TransposeParts(Floats*) {}  // there is one only

ADDEND_TARGET inline Ints ZeroInts() { return _mm_setzero_si128(); }
ADDEND_TARGET inline Ints LoadInts(const uint8_t* p) { return _mm_load_si128(reinterpret_cast<const __m128i*>(p)); }
ADDEND_TARGET inline void StoreInts(uint8_t* p, Ints v) { _mm_store_si128(reinterpret_cast<__m128i*>(p), v); }
ADDEND_TARGET inline Ints Add16(Ints a, Ints b) { return _mm_add_epi16(a, b); }
ADDEND_TARGET inline Ints Subtract16(Ints a, Ints b) { return _mm_sub_epi16(a, b); }
ADDEND_TARGET inline Ints Interleave16(Floats even, Floats odd) {
  return _mm_blend_epi16(_mm_cvtps_epi32(even), _mm_slli_epi32(_mm_cvtps_epi32(odd), 16), 0xaa);
}
ADDEND_TARGET inline Floats EvenTimes65536(Ints v) { return _mm_cvtepi32_ps(_mm_slli_epi32(v, 16)); }
ADDEND_TARGET inline Floats OddTimes65536(Ints v) {
  return _mm_cvtepi32_ps(_mm_and_si128(v, _mm_set1_epi32(static_cast<int>(0xffff0000))));
}
// clang-format on

}  // namespace addend::sse41
