// Vectors of 16 floats: AVX-512. The names are explained in simd_scalar.h.
#pragma once
#include <cstddef>
#include <cstdint>

// GCC 12 takes the undefined registers in its own AVX-512 intrinsics for a mistake (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#define ADDEND_SIMD avx512
// Set on functions, not on files: with -mavx512f for a whole file, an inline std:: function compiled in it could be the
// copy that the linker keeps for every caller.
#define ADDEND_TARGET \
  __attribute__((target("avx2,fma,f16c,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni")))

namespace addend::avx512 {

using Floats = __m512;
constexpr size_t kWidth = 16;
constexpr size_t kQueryTile = 6;

// clang-format off: a table
ADDEND_TARGET inline __mmask16 First(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

ADDEND_TARGET inline Floats Load(const float* p) { return _mm512_loadu_ps(p); }
ADDEND_TARGET inline Floats Load(const float* p, size_t n) { return _mm512_maskz_loadu_ps(First(n), p); }
ADDEND_TARGET inline void Store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
ADDEND_TARGET inline void Store(float* p, Floats v, size_t n) { _mm512_mask_storeu_ps(p, First(n), v); }

ADDEND_TARGET inline __m256i Load16(const uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
ADDEND_TARGET inline __m256i Load16(const uint16_t* p, size_t n) { return _mm256_maskz_loadu_epi16(First(n), p); }
ADDEND_TARGET inline __m128i Load8(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
ADDEND_TARGET inline Floats BFloat16(__m256i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16)); }

ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p) { return _mm512_cvtph_ps(Load16(p)); }
ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p, size_t n) { return _mm512_cvtph_ps(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16(Load16(p)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p, size_t n) { return BFloat16(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadInt8(const int8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(Load8(p))); }
ADDEND_TARGET inline Floats LoadLowNibbles(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_and_si128(Load8(p), _mm_set1_epi8(15))));
}
ADDEND_TARGET inline Floats LoadHighNibbles(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_cvtepu8_epi32(Load8(p)), 4));
}

ADDEND_TARGET inline Floats Set(float value) { return _mm512_set1_ps(value); }
ADDEND_TARGET inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
ADDEND_TARGET inline Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
ADDEND_TARGET inline Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
ADDEND_TARGET inline Floats Round(Floats v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
ADDEND_TARGET inline Floats PowerOfTwo(Floats n) { return _mm512_scalef_ps(_mm512_set1_ps(1), n); }
ADDEND_TARGET inline float Sum(Floats v) { return _mm512_reduce_add_ps(v); }
ADDEND_TARGET inline float Largest(Floats v) { return _mm512_reduce_max_ps(v); }
// clang-format on

}  // namespace addend::avx512
