// Sign products for SSE4.1: as for AVX2, with vectors of half the length.
#if defined(__x86_64__)
#include "kernels/sign_kernels.h"
#include "kernels/simd_sse41.h"

namespace addend::sse41 {
namespace {

// ---- What sign_bytes_inl.h needs ----

using Bytes = __m128i;

// One line for each operation where it fits.
// clang-format off
ADDEND_TARGET inline Bytes LoadBytes(const uint8_t* p) { return _mm_load_si128(reinterpret_cast<const __m128i*>(p)); }
ADDEND_TARGET inline void StoreBytes(uint8_t* p, Bytes v) { _mm_store_si128(reinterpret_cast<__m128i*>(p), v); }
ADDEND_TARGET inline Bytes ZipLow8(Bytes a, Bytes b) { return _mm_unpacklo_epi8(a, b); }
ADDEND_TARGET inline Bytes ZipHigh8(Bytes a, Bytes b) { return _mm_unpackhi_epi8(a, b); }
ADDEND_TARGET inline Bytes ZipLow16(Bytes a, Bytes b) { return _mm_unpacklo_epi16(a, b); }
ADDEND_TARGET inline Bytes ZipHigh16(Bytes a, Bytes b) { return _mm_unpackhi_epi16(a, b); }
ADDEND_TARGET inline Bytes ZipLow32(Bytes a, Bytes b) { return _mm_unpacklo_epi32(a, b); }
ADDEND_TARGET inline Bytes ZipHigh32(Bytes a, Bytes b) { return _mm_unpackhi_epi32(a, b); }
ADDEND_TARGET inline Bytes LowNibbles(Bytes v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
ADDEND_TARGET inline Bytes HighNibbles(Bytes v) { return LowNibbles(_mm_srli_epi16(v, 4)); }
ADDEND_TARGET inline Bytes LoadTable(const uint8_t* p) { return LoadBytes(p); }
ADDEND_TARGET inline Bytes LookUp(Bytes table, Bytes indices) { return _mm_shuffle_epi8(table, indices); }
ADDEND_TARGET inline Bytes Add8(Bytes a, Bytes b) { return _mm_add_epi8(a, b); }
// clang-format on

// Sums of 16 bits: `all` of byte 2 i + 256 * byte 2 i + 1 (modulo 65536), `odd` of byte 2 i + 1.
struct ByteSums {
  __m128i all, odd;
};

ADDEND_TARGET inline void AddBytes(Bytes v, ByteSums& sums) {
  sums.all = _mm_add_epi16(sums.all, v);
  sums.odd = _mm_add_epi16(sums.odd, _mm_srli_epi16(v, 8));
}

// The sums of even and odd bytes, widened once more: byte 16 t + 8 h + 2 i + p is row 16 t + 8 p + 4 h + i.
constexpr size_t RowOfByte(size_t byte) {
  return byte / 16 * 16 + byte % 2 * 8 + byte % 16 / 8 * 4 + byte / 2 % 4;
}

ADDEND_TARGET inline void CombineDigits(const ByteSums& low, const ByteSums& high, int bias, Floats sums[4]) {
  const __m128i digit_values = _mm_set1_epi32(1 | 128 << 16);  // 16-bit pairs (1, 128)
  const __m128i lows[2] = {_mm_sub_epi16(low.all, _mm_slli_epi16(low.odd, 8)), low.odd};
  const __m128i highs[2] = {_mm_sub_epi16(high.all, _mm_slli_epi16(high.odd, 8)), high.odd};
  for (size_t p = 0; p < 2; ++p) {
    const __m128i pairs[2] = {ZipLow16(lows[p], highs[p]), ZipHigh16(lows[p], highs[p])};
    for (size_t h = 0; h < 2; ++h) {
      const __m128i sum = _mm_madd_epi16(pairs[h], digit_values);
      sums[2 * p + h] = _mm_cvtepi32_ps(_mm_sub_epi32(sum, _mm_set1_epi32(bias)));
    }
  }
}

ADDEND_TARGET inline void StoreDigits(const Floats entries[4], uint8_t* to) {
  __m128i low[2], high[2];
  for (size_t i = 0; i < 2; ++i) {
    const __m128i integers =
        _mm_packus_epi32(_mm_cvtps_epi32(entries[2 * i]), _mm_cvtps_epi32(entries[2 * i + 1]));
    low[i] = _mm_and_si128(integers, _mm_set1_epi16(127));
    high[i] = _mm_srli_epi16(integers, 7);
  }
  StoreBytes(to, _mm_packus_epi16(low[0], low[1]));
  StoreBytes(to + 16, _mm_packus_epi16(high[0], high[1]));
}

}  // namespace
}  // namespace addend::sse41

#include "kernels/sign_bytes_inl.h"

namespace addend {

const SignKernels kSse41SignKernels = {sse41::PackBlock, sse41::BuildTables, sse41::Few,
                                       sse41::LoadLanes, sse41::StoreLanes,  sse41::ManyNear,
                                       sse41::ManyExact};

}  // namespace addend
#endif
