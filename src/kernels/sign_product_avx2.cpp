// Sign products for AVX2.
#if defined(__x86_64__)
#include <algorithm>
#include <cstring>

#include "kernels/prefetch.h"
#include "kernels/sign_kernels.h"
#include "kernels/simd_avx2.h"

namespace addend::avx2 {
namespace {

// Packed block: eight 32-byte vectors of 8 columns each; a byte has the 8 signs of one row. Which row stands
// where is chosen so that the sums of Few, widened twice, come out in order: byte 16 l + 8 h + 2 i + p is row
// 16 p + 8 h + 4 l + i.
constexpr size_t RowOfByte(size_t byte) {
  return byte % 2 * 16 + byte / 8 % 2 * 8 + byte / 16 * 4 + byte / 2 % 4;
}

void PackBlock(const uint64_t words[kRowTile], uint8_t* packed) {
  for (size_t i = 0; i < kSignBlockBytes; ++i) {
    packed[i] = static_cast<uint8_t>(words[RowOfByte(i % kRowTile)] >> (i / kRowTile * 8));
  }
}

ADDEND_TARGET inline __m256i LoadBytes(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// ---- What sign_lanes_inl.h needs ----

// Transposes the 8 x 32 bytes of a block, doubling the length of what is in order three times.
ADDEND_TARGET inline void UnpackRows(const uint8_t* packed, uint64_t words[kRowTile]) {
  __m256i pairs[8], quads[8];
  for (size_t v = 0; v < 4; ++v) {  // pairs[v + 4 h]: two columns' bytes for bytes 8 h .. 8 h + 7 of each 16
    const __m256i a = LoadBytes(packed + 64 * v), b = LoadBytes(packed + 64 * v + 32);
    pairs[v] = _mm256_unpacklo_epi8(a, b);
    pairs[v + 4] = _mm256_unpackhi_epi8(a, b);
  }
  for (size_t v = 0; v < 8; v += 2) {
    quads[v] = _mm256_unpacklo_epi16(pairs[v], pairs[v + 1]);
    quads[v + 1] = _mm256_unpackhi_epi16(pairs[v], pairs[v + 1]);
  }
  for (size_t h = 0; h < 2; ++h) {
    for (size_t q = 0; q < 2; ++q) {
      const __m256i a = quads[4 * h + q], b = quads[4 * h + 2 + q];
      const __m256i rows[2] = {_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)};
      for (size_t s = 0; s < 2; ++s) {
        alignas(32) uint64_t four[4];  // [l][p]
        _mm256_store_si256(reinterpret_cast<__m256i*>(four), rows[s]);
        for (size_t l = 0; l < 2; ++l) {
          for (size_t p = 0; p < 2; ++p)
            words[RowOfByte(16 * l + 8 * h + 2 * (2 * q + s) + p)] = four[2 * l + p];
        }
      }
    }
  }
}

constexpr size_t GroupOfSlot(size_t slot) {
  return slot;
}

ADDEND_TARGET inline Floats UnpackLow(Floats a, Floats b) {
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
ADDEND_TARGET inline Floats UnpackHigh(Floats a, Floats b) {
  return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}

// First within groups of four rows and columns, then the groups.
ADDEND_TARGET inline void Transpose(Floats rows[kWidth]) {
  Floats pairs[8], quads[8];
  for (size_t i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < 8; i += 4) {  // quads[i + j], half k: rows i .. i + 3 of column 4 k + j
    quads[i] = UnpackLow(pairs[i], pairs[i + 2]);
    quads[i + 1] = UnpackHigh(pairs[i], pairs[i + 2]);
    quads[i + 2] = UnpackLow(pairs[i + 1], pairs[i + 3]);
    quads[i + 3] = UnpackHigh(pairs[i + 1], pairs[i + 3]);
  }
  for (size_t j = 0; j < 4; ++j) {
    rows[j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x20);
    rows[4 + j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x31);
  }
}

}  // namespace
}  // namespace addend::avx2

#include "kernels/sign_lanes_inl.h"

namespace addend::avx2 {
namespace {

// ---- Few tokens ----
//
// A table entry is a 14-bit integer, kept as two digits of 7 bits, so that two of a digit add up within a
// byte: 8192 + (+-x0 +-x1 +-x2 +-x3) * 8191 / largest, where `largest` is the largest magnitude of an entry
// within 256 columns. Rounding to nearest even has no mean error. Tables of a block: for each 8 columns 64
// bytes, {16 low digits, 16 high digits} of the first four columns and of the others; then the scale.

constexpr float kEntryLimit = 8191, kEntryBias = 8192;
constexpr size_t kScaleOffset = 512;

// Bit `bit` of n ? value : -value, for n = 0 .. 7.
ADDEND_TARGET inline Floats SignedBy(int bit, float value) {
  const __m256i n = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i is_set = _mm256_slli_epi32(n, 31 - bit);
  return _mm256_blendv_ps(Set(-value), Set(value), _mm256_castsi256_ps(is_set));
}

ADDEND_TARGET void BuildTables(const float* x, size_t blocks, uint8_t* tables) {
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t count = std::min(kScaleBlocks, blocks - first) * kColumnBlock;
    const float* from = x + first * kColumnBlock;
    uint8_t* to = tables + first * kTableBytes;
    const float largest = LargestGroup(from, count);
    const float scale = largest / kEntryLimit, inverse = Inverse(kEntryLimit, largest);
    std::memcpy(to + kScaleOffset, &scale, sizeof scale);

    const Floats s0 = SignedBy(0, inverse), s1 = SignedBy(1, inverse), s2 = SignedBy(2, inverse);
    for (size_t c = 0; c < count; c += 4) {
      const Floats sums =
          MultiplyAdd(Set(from[c]), s0, MultiplyAdd(Set(from[c + 1]), s1, Set(from[c + 2]) * s2));
      const Floats last = Set(from[c + 3]) * Set(inverse), bias = Set(kEntryBias);
      const __m256i minus = _mm256_cvtps_epi32(sums - last + bias),
                    plus = _mm256_cvtps_epi32(sums + last + bias);
      // 16 entries of 16 bits in order: packing works on 128-bit halves.
      const __m256i entries = _mm256_permute4x64_epi64(_mm256_packus_epi32(minus, plus), 0xd8);
      const __m256i low = _mm256_and_si256(entries, _mm256_set1_epi16(127)),
                    high = _mm256_srli_epi16(entries, 7);
      const __m256i digits = _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
      uint8_t* digits_to = to + c / kColumnBlock * kTableBytes + c % kColumnBlock * 8;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(digits_to), digits);
    }
  }
}

// Sums of bytes, kept in 16 bits: `all` of byte 2 i + 256 * byte 2 i + 1 (modulo 65536), `odd` of byte 2 i
// + 1.
struct ByteSums {
  __m256i all, odd;
};

ADDEND_TARGET inline void AddBytes(__m256i bytes, ByteSums& sums) {
  sums.all = _mm256_add_epi16(sums.all, bytes);
  sums.odd = _mm256_add_epi16(sums.odd, _mm256_srli_epi16(bytes, 8));
}

ADDEND_TARGET inline __m256i LoadTable(const uint8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

ADDEND_TARGET void Few(const uint8_t* tile, size_t blocks, const uint8_t* tables, float* y) {
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i digit_values = _mm256_set1_epi32(1 | 128 << 16);  // 16-bit pairs (1, 128)
  Floats result[4] = {};
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t end = std::min(blocks, first + kScaleBlocks);
    // At most 32 times two digits of 127: no sum exceeds 16 bits, even signed.
    ByteSums low = {}, high = {};
    for (size_t b = first; b < end; ++b) {
      PrefetchAhead(tile + b * kSignBlockBytes, kSignBlockBytes);
      for (size_t v = 0; v < 8; ++v) {
        const __m256i packed = LoadBytes(tile + b * kSignBlockBytes + 32 * v);
        const uint8_t* table = tables + b * kTableBytes + 64 * v;
        const __m256i n0 = _mm256_and_si256(packed, nibble),
                      n1 = _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble);
        AddBytes(_mm256_add_epi8(_mm256_shuffle_epi8(LoadTable(table), n0),
                                 _mm256_shuffle_epi8(LoadTable(table + 32), n1)),
                 low);
        AddBytes(_mm256_add_epi8(_mm256_shuffle_epi8(LoadTable(table + 16), n0),
                                 _mm256_shuffle_epi8(LoadTable(table + 48), n1)),
                 high);
      }
    }
    float scale;
    std::memcpy(&scale, tables + first * kTableBytes + kScaleOffset, sizeof scale);
    const __m256i bias =
        _mm256_set1_epi32(static_cast<int>((end - first) * kColumnBlock / 4) * static_cast<int>(kEntryBias));
    const __m256i lows[2] = {_mm256_sub_epi16(low.all, _mm256_slli_epi16(low.odd, 8)), low.odd};
    const __m256i highs[2] = {_mm256_sub_epi16(high.all, _mm256_slli_epi16(high.odd, 8)), high.odd};
    for (size_t p = 0; p < 2; ++p) {
      const __m256i pairs[2] = {_mm256_unpacklo_epi16(lows[p], highs[p]),
                                _mm256_unpackhi_epi16(lows[p], highs[p])};
      for (size_t h = 0; h < 2; ++h) {
        const __m256i sum = _mm256_sub_epi32(_mm256_madd_epi16(pairs[h], digit_values), bias);
        result[2 * p + h] = MultiplyAdd(_mm256_cvtepi32_ps(sum), Set(scale), result[2 * p + h]);
      }
    }
  }
  for (size_t i = 0; i < 4; ++i) Store(y + i * kWidth, result[i]);
}

}  // namespace
}  // namespace addend::avx2

namespace addend {

const SignKernels kAvx2SignKernels = {avx2::PackBlock,  avx2::BuildTables, avx2::Few,      avx2::LoadLanes,
                                      avx2::StoreLanes, avx2::ManyNear,    avx2::ManyExact};

}  // namespace addend
#endif
