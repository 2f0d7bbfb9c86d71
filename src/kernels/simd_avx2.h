// Vectors of 8 floats: AVX2 with FMA and F16C. The names are explained in simd_scalar.h and simd_avx512.h.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#define ADDEND_SIMD avx2
#define ADDEND_MULTIPLIES_BYTES  // it has what block_product_inl.h needs
// On functions, not on files: see simd_avx512.h.
#define ADDEND_TARGET __attribute__((target("avx2,fma,f16c,bmi2")))

namespace addend::avx2 {

using Floats = __m256;
constexpr size_t kWidth = 8;
constexpr size_t kQueryTile = 2;

// One line for each operation where it fits.
// clang-format off
// Ones in the first n elements' bits.
ADDEND_TARGET inline __m256i First(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

ADDEND_TARGET inline Floats Load(const float* p) { return _mm256_loadu_ps(p); }
ADDEND_TARGET inline Floats Load(const float* p, size_t n) { return _mm256_maskload_ps(p, First(n)); }
ADDEND_TARGET inline void Store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
ADDEND_TARGET inline void Store(float* p, Floats v, size_t n) { _mm256_maskstore_ps(p, First(n), v); }

ADDEND_TARGET inline __m128i Load16(const uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
ADDEND_TARGET inline __m128i Load16(const uint16_t* p, size_t n) {
  uint16_t values[kWidth] = {};
  std::memcpy(values, p, n * sizeof(uint16_t));
  return Load16(values);
}
ADDEND_TARGET inline __m128i Load8(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
ADDEND_TARGET inline Floats BFloat16(__m128i v) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}

ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p) { return _mm256_cvtph_ps(Load16(p)); }
ADDEND_TARGET inline Floats LoadHalf(const uint16_t* p, size_t n) { return _mm256_cvtph_ps(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16(Load16(p)); }
ADDEND_TARGET inline Floats LoadBFloat16(const uint16_t* p, size_t n) { return BFloat16(Load16(p, n)); }
ADDEND_TARGET inline Floats LoadInt8(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load8(p)));
}
// A nibble n is n - 8.
ADDEND_TARGET inline Floats FromNibbles(__m128i n) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_sub_epi8(_mm_and_si128(n, _mm_set1_epi8(15)), _mm_set1_epi8(8))));
}
ADDEND_TARGET inline Floats LoadLowNibbles(const uint8_t* p) { return FromNibbles(Load8(p)); }
ADDEND_TARGET inline Floats LoadHighNibbles(const uint8_t* p) { return FromNibbles(_mm_srli_epi16(Load8(p), 4)); }

ADDEND_TARGET inline Floats ByBits(uint32_t bits, float zero, float one) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i ones = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), bit), bit);
  return _mm256_blendv_ps(_mm256_set1_ps(zero), _mm256_set1_ps(one), _mm256_castsi256_ps(ones));
}

ADDEND_TARGET inline Floats Set(float value) { return _mm256_set1_ps(value); }
ADDEND_TARGET inline Floats SetHalf(uint16_t half) { return _mm256_set1_ps(_cvtsh_ss(half)); }
ADDEND_TARGET inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
ADDEND_TARGET inline Floats Max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
ADDEND_TARGET inline Floats Min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
ADDEND_TARGET inline Floats Round(Floats v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ADDEND_TARGET inline Floats PowerOfTwo(Floats n) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
ADDEND_TARGET inline float Sum(Floats v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}
ADDEND_TARGET inline float Largest(Floats v) {
  __m128 largest = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
  return _mm_cvtss_f32(_mm_max_ss(largest, _mm_movehdup_ps(largest)));
}

// ---- For sign products (sign_lanes_inl.h) ----
using Ints = __m256i;  // of 16 bits

ADDEND_TARGET inline Floats Abs(Floats v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
ADDEND_TARGET inline Floats SumsOfFour(Floats v) {
  const Floats pairs = v + _mm256_permute_ps(v, 0xb1);
  return pairs + _mm256_permute_ps(pairs, 0x4e);
}
ADDEND_TARGET inline Floats InverseOrZero(Floats a, Floats b, Floats smallest) {
  return _mm256_and_ps(a / b, _mm256_cmp_ps(b, smallest, _CMP_GT_OQ));
}

ADDEND_TARGET inline Floats ZipLow(Floats a, Floats b) { return _mm256_unpacklo_ps(a, b); }
ADDEND_TARGET inline Floats ZipHigh(Floats a, Floats b) { return _mm256_unpackhi_ps(a, b); }
ADDEND_TARGET inline Floats ZipPairsLow(Floats a, Floats b) {
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
ADDEND_TARGET inline Floats ZipPairsHigh(Floats a, Floats b) {
  return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
ADDEND_TARGET inline void TransposeParts(Floats rows[kWidth]) {
  for (size_t k = 0; k < 4; ++k) {
    const Floats a = rows[k], b = rows[4 + k];
    rows[k] = _mm256_permute2f128_ps(a, b, 0x20);
    rows[4 + k] = _mm256_permute2f128_ps(a, b, 0x31);
  }
}

ADDEND_TARGET inline Ints ZeroInts() { return _mm256_setzero_si256(); }
ADDEND_TARGET inline Ints LoadInts(const uint8_t* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
ADDEND_TARGET inline void StoreInts(uint8_t* p, Ints v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), v);
}
ADDEND_TARGET inline Ints Add16(Ints a, Ints b) { return _mm256_add_epi16(a, b); }
ADDEND_TARGET inline Ints Subtract16(Ints a, Ints b) { return _mm256_sub_epi16(a, b); }
ADDEND_TARGET inline Ints Interleave16(Floats even, Floats odd) {
  return _mm256_blend_epi16(_mm256_cvtps_epi32(even), _mm256_slli_epi32(_mm256_cvtps_epi32(odd), 16), 0xaa);
}
ADDEND_TARGET inline Floats EvenTimes65536(Ints v) { return _mm256_cvtepi32_ps(_mm256_slli_epi32(v, 16)); }
ADDEND_TARGET inline Floats OddTimes65536(Ints v) {
  return _mm256_cvtepi32_ps(_mm256_and_si256(v, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}

// ---- For products with blocks (block_product_inl.h) ----
using BlockBytes = __m256i;
constexpr size_t kVectorBlocks = 1;
constexpr size_t kManyRows = 2, kManyTokens = 2;  // accumulators and numbers fit 16 registers

ADDEND_TARGET inline BlockBytes LoadDigits(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
ADDEND_TARGET inline BlockBytes LoadBlocks(const std::byte* p, size_t) { return LoadDigits(p); }
ADDEND_TARGET inline BlockBytes FlipTopBits(BlockBytes v) { return _mm256_xor_si256(v, _mm256_set1_epi8(-128)); }
// The low nibbles of 16 bytes, then the high ones.
ADDEND_TARGET inline BlockBytes LoadNibbles(const std::byte* p, size_t) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), _mm256_set1_epi8(15));
}
// Adds 16 to the bytes whose bit is 1 of the 32 at p.
ADDEND_TARGET inline BlockBytes AddFifthBits(BlockBytes v, const std::byte* p, size_t) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte), bit);
  return _mm256_or_si256(v, _mm256_and_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8(16)));
}
// The half at p, in the lanes of its block.
ADDEND_TARGET inline Floats BlockHalves(const std::byte* p, size_t) {
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  return SetHalf(half);
}
// start + 128 v . high + v . low, four bytes at a time. Two products of a byte and a digit of 7 bits fit 16 bits.
ADDEND_TARGET inline Floats DotDigits(BlockBytes v, BlockBytes high, BlockBytes low, BlockBytes start) {
  const __m256i highs = _mm256_madd_epi16(_mm256_maddubs_epi16(v, high), _mm256_set1_epi16(128));
  const __m256i lows = _mm256_madd_epi16(_mm256_maddubs_epi16(v, low), _mm256_set1_epi16(1));
  return _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_add_epi32(highs, lows), start));
}
// clang-format on

}  // namespace addend::avx2
