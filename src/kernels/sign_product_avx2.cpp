// Sign products for AVX2.
#if defined(__x86_64__)
#include "kernels/sign_kernels.h"
#include "kernels/simd_avx2.h"

namespace addend::avx2 {
namespace {

// ---- What sign_bytes_inl.h needs ----

using Bytes = __m256i;

// One line for each operation where it fits.
// clang-format off
ADDEND_TARGET inline Bytes LoadBytes(const uint8_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
ADDEND_TARGET inline void StoreBytes(uint8_t* p, Bytes v) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
ADDEND_TARGET inline Bytes ZipLow8(Bytes a, Bytes b) { return _mm256_unpacklo_epi8(a, b); }
ADDEND_TARGET inline Bytes ZipHigh8(Bytes a, Bytes b) { return _mm256_unpackhi_epi8(a, b); }
ADDEND_TARGET inline Bytes ZipLow16(Bytes a, Bytes b) { return _mm256_unpacklo_epi16(a, b); }
ADDEND_TARGET inline Bytes ZipHigh16(Bytes a, Bytes b) { return _mm256_unpackhi_epi16(a, b); }
ADDEND_TARGET inline Bytes ZipLow32(Bytes a, Bytes b) { return _mm256_unpacklo_epi32(a, b); }
ADDEND_TARGET inline Bytes ZipHigh32(Bytes a, Bytes b) { return _mm256_unpackhi_epi32(a, b); }
ADDEND_TARGET inline Bytes LowNibbles(Bytes v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
ADDEND_TARGET inline Bytes HighNibbles(Bytes v) { return LowNibbles(_mm256_srli_epi16(v, 4)); }
ADDEND_TARGET inline Bytes LoadTable(const uint8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}
ADDEND_TARGET inline Bytes LookUp(Bytes table, Bytes indices) { return _mm256_shuffle_epi8(table, indices); }
ADDEND_TARGET inline Bytes Add8(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
// clang-format on

// Sums of 16 bits: `all` of byte 2 i + 256 * byte 2 i + 1 (modulo 65536), `odd` of byte 2 i + 1.
struct ByteSums {
  __m256i all, odd;
};

ADDEND_TARGET inline void AddBytes(Bytes v, ByteSums& sums) {
  sums.all = _mm256_add_epi16(sums.all, v);
  sums.odd = _mm256_add_epi16(sums.odd, _mm256_srli_epi16(v, 8));
}

// The sums of even and odd bytes, widened once more: byte 16 l + 8 h + 2 i + p is row 16 p + 8 h + 4 l + i.
constexpr size_t RowOfByte(size_t byte) {
  return byte % 2 * 16 + byte / 8 % 2 * 8 + byte / 16 * 4 + byte / 2 % 4;
}

ADDEND_TARGET inline void CombineDigits(const ByteSums& low, const ByteSums& high, int bias, Floats sums[4]) {
  const __m256i digit_values = _mm256_set1_epi32(1 | 128 << 16);  // 16-bit pairs (1, 128)
  const __m256i lows[2] = {_mm256_sub_epi16(low.all, _mm256_slli_epi16(low.odd, 8)), low.odd};
  const __m256i highs[2] = {_mm256_sub_epi16(high.all, _mm256_slli_epi16(high.odd, 8)), high.odd};
  for (size_t p = 0; p < 2; ++p) {
    const __m256i pairs[2] = {ZipLow16(lows[p], highs[p]), ZipHigh16(lows[p], highs[p])};
    for (size_t h = 0; h < 2; ++h) {
      const __m256i sum = _mm256_madd_epi16(pairs[h], digit_values);
      sums[2 * p + h] = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_set1_epi32(bias)));
    }
  }
}

// Packing works on 128-bit halves: the permutations put the quarters in order.
ADDEND_TARGET inline void StoreDigits(const Floats entries[2], uint8_t* to) {
  const __m256i integers = _mm256_permute4x64_epi64(
      _mm256_packus_epi32(_mm256_cvtps_epi32(entries[0]), _mm256_cvtps_epi32(entries[1])), 0xd8);
  const __m256i low = _mm256_and_si256(integers, _mm256_set1_epi16(127)),
                high = _mm256_srli_epi16(integers, 7);
  StoreBytes(to, _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8));
}

}  // namespace
}  // namespace addend::avx2

#include "kernels/sign_bytes_inl.h"

namespace addend {

const SignKernels kAvx2SignKernels = {avx2::PackBlock,  avx2::BuildTables, avx2::Few,      avx2::LoadLanes,
                                      avx2::StoreLanes, avx2::ManyNear,    avx2::ManyExact};

}  // namespace addend
#endif
