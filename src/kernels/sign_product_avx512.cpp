// Sign products for AVX-512 with VBMI and VNNI (Ice Lake, Zen 4 and later).
#if defined(__x86_64__)
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/prefetch.h"
#include "kernels/sign_kernels.h"
#include "kernels/simd_avx512.h"

namespace addend::avx512 {
namespace {

// Packed block: four 64-byte vectors of 16 columns each; byte 4 r + g has the signs of columns 4 g .. 4 g +
// 3, in its low nibble of row r, in its high nibble of row r + 16. So one vector of bytes holds, for 16 rows,
// the four look-ups into four tables of 16 that fit one vector register, and the four results of a row are
// neighbours that one vpdpbusd adds.
ADDEND_TARGET void PackBlock(const uint64_t words[kRowTile], uint8_t* packed) {
  constexpr uint32_t kLowNibbles = 0x0f0f0f0f;
  for (size_t vector = 0; vector < 4; ++vector) {
    for (size_t row = 0; row < 16; ++row) {
      const auto low = static_cast<uint32_t>(words[row] >> 16 * vector),
                 high = static_cast<uint32_t>(words[row + 16] >> 16 * vector);
      // The four nibbles of 16 columns, one into each byte.
      const uint32_t bytes = _pdep_u32(low, kLowNibbles) | _pdep_u32(high, kLowNibbles << 4);
      std::memcpy(packed + 64 * vector + 4 * row, &bytes, sizeof bytes);
    }
  }
}

ADDEND_TARGET inline __m512i LoadBytes(const void* p) {
  return _mm512_loadu_si512(p);
}

// ---- What sign_lanes_inl.h needs ----

// Turns a packed block into one word for each row: 16 look-ups of 4 bits, in the order of GroupOfSlot.
ADDEND_TARGET inline void UnpackRows(const uint8_t* packed, uint64_t words[kRowTile]) {
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11),
                second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  const __m512i v0 = LoadBytes(packed), v1 = LoadBytes(packed + 64), v2 = LoadBytes(packed + 128),
                v3 = LoadBytes(packed + 192);
  for (size_t half = 0; half < 2; ++half) {
    // Low nibbles of one vector beside those of the next, or high ones; 0xca: a ? b : c.
    const __m512i a = half == 0 ? _mm512_ternarylogic_epi32(nibble, v0, _mm512_slli_epi16(v1, 4), 0xca)
                                : _mm512_ternarylogic_epi32(nibble, _mm512_srli_epi16(v0, 4), v1, 0xca);
    const __m512i b = half == 0 ? _mm512_ternarylogic_epi32(nibble, v2, _mm512_slli_epi16(v3, 4), 0xca)
                                : _mm512_ternarylogic_epi32(nibble, _mm512_srli_epi16(v2, 4), v3, 0xca);
    const __m512i low = _mm512_unpacklo_epi32(a, b), high = _mm512_unpackhi_epi32(a, b);
    _mm512_storeu_si512(words + 16 * half, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(words + 16 * half + 8, _mm512_permutex2var_epi64(low, second, high));
  }
}

// The group of four columns that nibble `slot` of an unpacked word belongs to.
constexpr size_t GroupOfSlot(size_t slot) {
  return slot / 2 % 4 + slot % 2 * 4 + slot / 8 * 8;
}

}  // namespace
}  // namespace addend::avx512

#include "kernels/sign_lanes_inl.h"

namespace addend::avx512 {
namespace {

// ---- Few tokens ----
//
// A table entry is a 16-bit integer, kept as two bytes: 32768 + (+-x0 +-x1 +-x2 +-x3) * 32767 / largest,
// where `largest` is the largest magnitude of an entry within 256 columns. Rounding to nearest even has no
// mean error. Tables of a block: four times {64 low bytes, 64 high bytes} for four groups of columns; then
// the scale.

constexpr float kEntryLimit = 32767, kEntryBias = 32768;
constexpr size_t kScaleOffset = 512;

// signs[n] = bit ? value : -value, for the bit `bit` of n = 0 .. 15.
ADDEND_TARGET Floats SignedBy(int bit, float value) {
  constexpr __mmask16 kBits[4] = {0xaaaa, 0xcccc, 0xf0f0, 0xff00};
  return _mm512_mask_blend_ps(kBits[bit], Set(-value), Set(value));
}

// The 16 entries of four columns.
ADDEND_TARGET inline __m512i Entries(const float* x, const Floats signs[4]) {
  Floats sums = Set(kEntryBias);
  for (size_t i = 0; i < 4; ++i) sums = MultiplyAdd(Set(x[i]), signs[i], sums);
  return _mm512_cvtps_epi32(sums);
}

// The low bytes of the 32-bit elements of a and b, then the bytes above these.
ADDEND_TARGET inline __m512i TakeBytes(__m512i a, __m512i b) {
  alignas(64) static constexpr auto kIndices = [] {
    std::array<uint8_t, 64> indices{};
    for (size_t i = 0; i < 32; ++i) {
      indices[i] = static_cast<uint8_t>(4 * i);
      indices[i + 32] = static_cast<uint8_t>(4 * i + 1);
    }
    return indices;
  }();
  return _mm512_permutex2var_epi8(a, LoadBytes(kIndices.data()), b);
}

ADDEND_TARGET void BuildTables(const float* x, size_t blocks, uint8_t* tables) {
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t count = std::min(kScaleBlocks, blocks - first) * kColumnBlock;
    const float* from = x + first * kColumnBlock;
    uint8_t* to = tables + first * kTableBytes;
    const float largest = LargestGroup(from, count);
    const float scale = largest / kEntryLimit, inverse = Inverse(kEntryLimit, largest);
    std::memcpy(to + kScaleOffset, &scale, sizeof scale);

    const Floats signs[4] = {SignedBy(0, inverse), SignedBy(1, inverse), SignedBy(2, inverse),
                             SignedBy(3, inverse)};
    for (size_t c = 0; c < count; c += 16) {
      // Of two groups of columns each: 32 low bytes, 32 high bytes.
      const __m512i a = TakeBytes(Entries(from + c, signs), Entries(from + c + 4, signs)),
                    b = TakeBytes(Entries(from + c + 8, signs), Entries(from + c + 12, signs));
      uint8_t* low = to + c / kColumnBlock * kTableBytes + c % kColumnBlock * 8;
      _mm512_storeu_si512(low, _mm512_shuffle_i64x2(a, b, 0x44));
      _mm512_storeu_si512(low + 64, _mm512_shuffle_i64x2(a, b, 0xee));
    }
  }
}

// Sums of one digit for rows 0-15 and 16-31.
struct DigitSums {
  __m512i rows[2];
};

ADDEND_TARGET inline void AddLookups(__m512i table, __m512i low, __m512i high, DigitSums& sums) {
  const __m512i ones = _mm512_set1_epi8(1);
  sums.rows[0] = _mm512_dpbusd_epi32(sums.rows[0], _mm512_permutexvar_epi8(low, table), ones);
  sums.rows[1] = _mm512_dpbusd_epi32(sums.rows[1], _mm512_permutexvar_epi8(high, table), ones);
}

ADDEND_TARGET void Few(const uint8_t* tile, size_t blocks, const uint8_t* tables, const float* scales,
                       float* y) {
  const __m512i nibble = _mm512_set1_epi8(15), table_of_byte = _mm512_set1_epi32(0x30201000);
  const size_t ahead = PrefetchDistance(blocks * kTableBytes);
  Floats result[2] = {Set(0), Set(0)};
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t end = std::min(blocks, first + kScaleBlocks);
    // Two sets, taken in turn: vpdpbusd takes four cycles or more.
    DigitSums low_digit[2] = {}, high_digit[2] = {};
    for (size_t b = first; b < end; ++b) {
      const uint8_t* bytes = tile + b * kSignBlockBytes;
      const uint8_t* table = tables + b * kTableBytes;
      PrefetchAhead(bytes, kSignBlockBytes, ahead);
      for (size_t v = 0; v < 4; ++v) {
        const __m512i packed = LoadBytes(bytes + 64 * v);
        // (byte & 15) | table << 4; 0xea: (a & b) | c.
        const __m512i low = _mm512_ternarylogic_epi32(packed, nibble, table_of_byte, 0xea);
        const __m512i high =
            _mm512_ternarylogic_epi32(_mm512_srli_epi16(packed, 4), nibble, table_of_byte, 0xea);
        AddLookups(LoadBytes(table + 128 * v), low, high, low_digit[v % 2]);
        AddLookups(LoadBytes(table + 128 * v + 64), low, high, high_digit[v % 2]);
      }
    }
    float scale;
    std::memcpy(&scale, tables + first * kTableBytes + kScaleOffset, sizeof scale);
    const __m512i bias =
        _mm512_set1_epi32(static_cast<int>((end - first) * kColumnBlock / 4) * static_cast<int>(kEntryBias));
    for (size_t half = 0; half < 2; ++half) {
      const __m512i lows = _mm512_add_epi32(low_digit[0].rows[half], low_digit[1].rows[half]);
      const __m512i highs = _mm512_add_epi32(high_digit[0].rows[half], high_digit[1].rows[half]);
      const __m512i sum = _mm512_sub_epi32(_mm512_add_epi32(lows, _mm512_slli_epi32(highs, 8)), bias);
      result[half] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), Set(scale), result[half]);
    }
  }
  Store(y, result[0] * Load(scales));
  Store(y + 16, result[1] * Load(scales + 16));
}

}  // namespace
}  // namespace addend::avx512

namespace addend {

const SignKernels kAvx512SignKernels = {avx512::PackBlock, avx512::BuildTables, avx512::Few,
                                        avx512::LoadLanes, avx512::StoreLanes,  avx512::ManyNear,
                                        avx512::ManyExact};

}  // namespace addend
#endif
