// Sign products for AVX-512 with VBMI and VNNI (Ice Lake, Zen 4 and later).
#if defined(__x86_64__)
#include <algorithm>
#include <bit>
#include <cfloat>
#include <cstring>

#include "kernels/sign_kernels.h"
#include "kernels/simd_avx512.h"

namespace addend {
namespace {

using avx512::First;
using avx512::Floats;
using avx512::Set;

// Packed block: four 64-byte vectors of 16 columns each; byte 4 r + g has the signs of columns 4 g .. 4 g + 3, in its low
// nibble of row r, in its high nibble of row r + 16. So one vector of bytes holds, for 16 rows, the four look-ups into
// four tables of 16 that fit one vector register, and the four results of a row are neighbours that one vpdpbusd adds.
void PackBlock(const uint64_t words[kRowTile], uint8_t* packed) {
  for (size_t i = 0; i < kSignBlockBytes; ++i) {
    const size_t vector = i / 64, row = i % 64 / 4, group = i % 4;
    const size_t shift = 16 * vector + 4 * group;
    packed[i] = static_cast<uint8_t>(((words[row] >> shift) & 15) | ((words[row + 16] >> shift) & 15) << 4);
  }
}

ADDEND_TARGET __m512i LoadBytes(const void* p) { return _mm512_loadu_si512(p); }

// ---- Few tokens ----
//
// A table entry is a 16-bit integer, kept as two bytes: 32768 + (+-x0 +-x1 +-x2 +-x3) * 32767 / largest, where `largest`
// is the largest magnitude of an entry within 256 columns. Rounding to nearest even has no mean error.
// Tables of a block: four times {64 low bytes, 64 high bytes} for four groups of columns; then the scale.

constexpr size_t kScaleBlocks = 4;
constexpr float kEntryLimit = 32767, kEntryBias = 32768;
constexpr size_t kScaleOffset = 512;
// Below this the inverse of a scale is not a float any more. Such inputs count as zeros.
constexpr float kSmallest = 1e-30f;

// The largest |x0| + |x1| + |x2| + |x3| over groups of four; not finite if any x is not.
ADDEND_TARGET float LargestGroup(const float* x, size_t count) {
  Floats largest = Set(0), sum = Set(0);
  for (size_t i = 0; i < count; i += 16) {
    Floats v = _mm512_abs_ps(_mm512_loadu_ps(x + i));
    v = v + _mm512_permute_ps(v, 0xb1);
    v = v + _mm512_permute_ps(v, 0x4e);
    largest = _mm512_max_ps(largest, v);
    sum = sum + v;
  }
  const float total = _mm512_reduce_add_ps(sum);
  return total <= FLT_MAX ? _mm512_reduce_max_ps(largest) : total;
}

// signs[n] = bit ? value : -value, for the bit `bit` of n = 0 .. 15.
ADDEND_TARGET Floats SignedBy(int bit, float value) {
  constexpr __mmask16 kBits[4] = {0xaaaa, 0xcccc, 0xf0f0, 0xff00};
  return _mm512_mask_blend_ps(kBits[bit], Set(-value), Set(value));
}

ADDEND_TARGET void BuildTables(const float* x, size_t blocks, uint8_t* tables) {
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t count = std::min(kScaleBlocks, blocks - first) * kColumnBlock;
    const float* from = x + first * kColumnBlock;
    uint8_t* to = tables + first * kTableBytes;
    const float largest = LargestGroup(from, count);
    const float scale = largest / kEntryLimit, inverse = largest > kSmallest ? kEntryLimit / largest : 0.0f;
    std::memcpy(to + kScaleOffset, &scale, sizeof scale);

    const Floats s0 = SignedBy(0, inverse), s1 = SignedBy(1, inverse), s2 = SignedBy(2, inverse), s3 = SignedBy(3, inverse);
    for (size_t c = 0; c < count; c += 4) {
      Floats sums = _mm512_fmadd_ps(Set(from[c]), s0, Set(kEntryBias));
      sums = _mm512_fmadd_ps(Set(from[c + 1]), s1, sums);
      sums = _mm512_fmadd_ps(Set(from[c + 2]), s2, sums);
      sums = _mm512_fmadd_ps(Set(from[c + 3]), s3, sums);
      const __m512i entries = _mm512_cvtps_epi32(sums);
      uint8_t* low = to + c / kColumnBlock * kTableBytes + c % kColumnBlock / 16 * 128 + c % 16 * 4;
      _mm_storeu_si128(reinterpret_cast<__m128i*>(low), _mm512_cvtepi32_epi8(entries));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(low + 64), _mm512_cvtepi32_epi8(_mm512_srli_epi32(entries, 8)));
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

ADDEND_TARGET void Few(const uint8_t* tile, size_t blocks, const uint8_t* tables, float* y) {
  const __m512i nibble = _mm512_set1_epi8(15), table_of_byte = _mm512_set1_epi32(0x30201000);
  Floats result[2] = {Set(0), Set(0)};
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t end = std::min(blocks, first + kScaleBlocks);
    // Two sets, taken in turn: vpdpbusd takes four cycles or more.
    DigitSums low_digit[2] = {}, high_digit[2] = {};
    for (size_t b = first; b < end; ++b) {
      const uint8_t* bytes = tile + b * kSignBlockBytes;
      const uint8_t* table = tables + b * kTableBytes;
      for (size_t v = 0; v < 4; ++v) {
        const __m512i packed = LoadBytes(bytes + 64 * v);
        // (byte & 15) | table << 4; 0xea: (a & b) | c.
        const __m512i low = _mm512_ternarylogic_epi32(packed, nibble, table_of_byte, 0xea);
        const __m512i high = _mm512_ternarylogic_epi32(_mm512_srli_epi16(packed, 4), nibble, table_of_byte, 0xea);
        AddLookups(LoadBytes(table + 128 * v), low, high, low_digit[v % 2]);
        AddLookups(LoadBytes(table + 128 * v + 64), low, high, high_digit[v % 2]);
      }
    }
    float scale;
    std::memcpy(&scale, tables + first * kTableBytes + kScaleOffset, sizeof scale);
    const __m512i bias = _mm512_set1_epi32(static_cast<int>((end - first) * kColumnBlock / 4) * static_cast<int>(kEntryBias));
    for (size_t half = 0; half < 2; ++half) {
      const __m512i lows = _mm512_add_epi32(low_digit[0].rows[half], low_digit[1].rows[half]);
      const __m512i highs = _mm512_add_epi32(high_digit[0].rows[half], high_digit[1].rows[half]);
      const __m512i sum = _mm512_sub_epi32(_mm512_add_epi32(lows, _mm512_slli_epi32(highs, 8)), bias);
      result[half] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), Set(scale), result[half]);
    }
  }
  _mm512_storeu_ps(y, result[0]);
  _mm512_storeu_ps(y + 16, result[1]);
}

// ---- Lanes ----

ADDEND_TARGET inline Floats UnpackLow(Floats a, Floats b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
ADDEND_TARGET inline Floats UnpackHigh(Floats a, Floats b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

// Transposes 16 x 16 floats: first within groups of four rows and columns, then the groups.
ADDEND_TARGET inline void Transpose(Floats rows[16]) {
  Floats pairs[16], quads[16];
  for (size_t i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < 16; i += 4) {  // quads[i + j], 128-bit part k: rows i .. i + 3 of column 4 k + j
    quads[i] = UnpackLow(pairs[i], pairs[i + 2]);
    quads[i + 1] = UnpackHigh(pairs[i], pairs[i + 2]);
    quads[i + 2] = UnpackLow(pairs[i + 1], pairs[i + 3]);
    quads[i + 3] = UnpackHigh(pairs[i + 1], pairs[i + 3]);
  }
  for (size_t j = 0; j < 4; ++j) {
    const Floats a = _mm512_shuffle_f32x4(quads[j], quads[4 + j], 0x44), b = _mm512_shuffle_f32x4(quads[j], quads[4 + j], 0xee);
    const Floats c = _mm512_shuffle_f32x4(quads[8 + j], quads[12 + j], 0x44);
    const Floats d = _mm512_shuffle_f32x4(quads[8 + j], quads[12 + j], 0xee);
    rows[j] = _mm512_shuffle_f32x4(a, c, 0x88);
    rows[4 + j] = _mm512_shuffle_f32x4(a, c, 0xdd);
    rows[8 + j] = _mm512_shuffle_f32x4(b, d, 0x88);
    rows[12 + j] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

ADDEND_TARGET void LoadLanes(ConstMatrixView x, const float* scales, float* lanes) {
  for (size_t c = 0; c < x.cols; c += 16) {
    const size_t cols = std::min<size_t>(16, x.cols - c);
    for (size_t t = 0; t < kLanes; t += 16) {
      Floats tile[16];
      for (size_t i = 0; i < 16; ++i) {
        tile[i] = t + i < x.rows ? _mm512_maskz_loadu_ps(First(cols), x.data + (t + i) * x.stride + c) : Set(0);
      }
      Transpose(tile);
      for (size_t i = 0; i < cols; ++i) {
        const float scale = scales != nullptr ? scales[c + i] : 1.0f;
        _mm512_storeu_ps(lanes + (c + i) * kLanes + t, tile[i] * Set(scale));
      }
    }
  }
}

ADDEND_TARGET void StoreLanes(const float* lanes, MatrixView y) {
  for (size_t r = 0; r < y.cols; r += 16) {
    const size_t rows = std::min<size_t>(16, y.cols - r);
    for (size_t t = 0; t < y.rows; t += 16) {
      Floats tile[16];
      for (size_t i = 0; i < 16; ++i) tile[i] = i < rows ? _mm512_loadu_ps(lanes + (r + i) * kLanes + t) : Set(0);
      Transpose(tile);
      const size_t tokens = std::min<size_t>(16, y.rows - t);
      for (size_t i = 0; i < tokens; ++i) _mm512_mask_storeu_ps(y.data + (t + i) * y.stride + r, First(rows), tile[i]);
    }
  }
}

// ---- Many tokens ----

// Turns a packed block into one word for each row: 16 look-ups of 4 bits, in the order of GroupOfSlot.
ADDEND_TARGET inline void UnpackRows(const uint8_t* packed, uint64_t words[kRowTile]) {
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  const __m512i v0 = LoadBytes(packed), v1 = LoadBytes(packed + 64), v2 = LoadBytes(packed + 128), v3 = LoadBytes(packed + 192);
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
constexpr size_t GroupOfSlot(size_t slot) { return slot / 2 % 4 + slot % 2 * 4 + slot / 8 * 8; }

// What two of the four columns contribute to a sum, for their signs (-,-), (+,-), (-,+), (+,+).
struct IntegerPair {
  __m512i sums[4];
};
struct FloatPair {
  Floats sums[4];
};

// The 32 tokens as 16-bit integers: the even elements are tokens 0-15, the odd ones tokens 16-31.
ADDEND_TARGET inline __m512i Quantize(Floats first, Floats second) {
  return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_cvtps_epi32(first), _mm512_slli_epi32(_mm512_cvtps_epi32(second), 16));
}

ADDEND_TARGET inline IntegerPair QuantizedPair(const float* x, const Floats inverse[2]) {
  Floats sum[2], difference[2];
  for (size_t h = 0; h < 2; ++h) {
    const Floats a = _mm512_loadu_ps(x + 16 * h), b = _mm512_loadu_ps(x + kLanes + 16 * h);
    sum[h] = (a + b) * inverse[h];
    difference[h] = (a - b) * inverse[h];
  }
  const __m512i s = Quantize(sum[0], sum[1]), d = Quantize(difference[0], difference[1]), zero = _mm512_setzero_si512();
  return {{_mm512_sub_epi16(zero, s), d, _mm512_sub_epi16(zero, d), s}};
}

constexpr size_t kEntryBytes = 64;  // of a table entry: one vector of 32 16-bit integers
constexpr size_t kGroupBytes = 16 * kEntryBytes;
constexpr size_t kSlots = kColumnBlock / 4;

// Table of one column block: [slot][16 sums][32 tokens]. Any sum over the block fits 16 bits, since each token is scaled by the
// sum of its magnitudes; 32750 leaves room for the roundings of 16 * 2 pairs.
ADDEND_TARGET void BuildLaneTables(const float* in, uint8_t* table, Floats steps[2]) {
  constexpr float kLimit = 32750;
  Floats inverse[2];
  for (size_t h = 0; h < 2; ++h) {
    Floats total = Set(0);
    for (size_t c = 0; c < kColumnBlock; ++c) total = total + _mm512_abs_ps(_mm512_loadu_ps(in + c * kLanes + 16 * h));
    inverse[h] = _mm512_maskz_div_ps(_mm512_cmp_ps_mask(total, Set(kSmallest), _CMP_GT_OQ), Set(kLimit), total);
    steps[h] = total * Set(1 / kLimit / 65536);
  }
  for (size_t slot = 0; slot < kSlots; ++slot) {
    const float* x = in + GroupOfSlot(slot) * 4 * kLanes;
    const IntegerPair low = QuantizedPair(x, inverse), high = QuantizedPair(x + 2 * kLanes, inverse);
    for (size_t n = 0; n < 16; ++n) {
      _mm512_store_si512(table + slot * kGroupBytes + n * kEntryBytes, _mm512_add_epi16(low.sums[n % 4], high.sums[n / 4]));
    }
  }
}

ADDEND_TARGET void ManyNear(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out) {
  alignas(64) uint8_t table[kSlots * kGroupBytes];
  const __m512i odd = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  for (size_t b = 0; b < blocks; ++b) {
    Floats steps[2];
    BuildLaneTables(in + b * kColumnBlock * kLanes, table, steps);
    for (size_t tile = 0; tile < tiles; ++tile) {
      alignas(64) uint64_t words[kRowTile];
      UnpackRows(packed + (tile * blocks + b) * kSignBlockBytes, words);
      for (size_t r = 0; r < kRowTile; ++r) {
        const uint64_t word = std::rotl(words[r], 6);  // so that a nibble is the byte offset of its entry
        __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (size_t slot = 0; slot < kSlots; ++slot) {
          const size_t offset = std::rotr(word, static_cast<int>(4 * slot)) & (15 * kEntryBytes);
          sums[slot % 2] = _mm512_add_epi16(sums[slot % 2], _mm512_load_si512(table + slot * kGroupBytes + offset));
        }
        const __m512i sum = _mm512_add_epi16(sums[0], sums[1]);
        float* to = out + (tile * kRowTile + r) * kLanes;
        // Each 16-bit sum becomes 65536 times itself in 32 bits; the step makes up for it.
        const Floats first = _mm512_cvtepi32_ps(_mm512_slli_epi32(sum, 16));
        const Floats second = _mm512_cvtepi32_ps(_mm512_and_si512(sum, odd));
        const Floats before[2] = {b == 0 ? Set(0) : _mm512_load_ps(to), b == 0 ? Set(0) : _mm512_load_ps(to + 16)};
        _mm512_store_ps(to, _mm512_fmadd_ps(first, steps[0], before[0]));
        _mm512_store_ps(to + 16, _mm512_fmadd_ps(second, steps[1], before[1]));
      }
    }
  }
}

// The same with float32 entries, twice as long; half a block at a time, to have the tables in the first cache.
constexpr size_t kExactSlots = kSlots / 2;
constexpr size_t kExactEntryBytes = 2 * kEntryBytes;
constexpr size_t kExactGroupBytes = 16 * kExactEntryBytes;

ADDEND_TARGET inline FloatPair ExactPair(const float* x) {
  const Floats a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + kLanes);
  return {{Set(0) - (a + b), a - b, b - a, a + b}};
}

ADDEND_TARGET void BuildExactTables(const float* in, size_t first_slot, uint8_t* table) {
  for (size_t slot = 0; slot < kExactSlots; ++slot) {
    for (size_t h = 0; h < 2; ++h) {
      const float* x = in + GroupOfSlot(first_slot + slot) * 4 * kLanes + 16 * h;
      const FloatPair low = ExactPair(x), high = ExactPair(x + 2 * kLanes);
      for (size_t n = 0; n < 16; ++n) {
        _mm512_store_ps(table + slot * kExactGroupBytes + n * kExactEntryBytes + 64 * h, low.sums[n % 4] + high.sums[n / 4]);
      }
    }
  }
}

ADDEND_TARGET void ManyExact(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out) {
  alignas(64) uint8_t table[kExactSlots * kExactGroupBytes];
  for (size_t half = 0; half < 2 * blocks; ++half) {
    const size_t b = half / 2, first_slot = half % 2 * kExactSlots;
    BuildExactTables(in + b * kColumnBlock * kLanes, first_slot, table);
    for (size_t tile = 0; tile < tiles; ++tile) {
      alignas(64) uint64_t words[kRowTile];
      UnpackRows(packed + (tile * blocks + b) * kSignBlockBytes, words);
      for (size_t r = 0; r < kRowTile; ++r) {
        const uint64_t word = std::rotl(words[r] >> (4 * first_slot), 7);
        float* to = out + (tile * kRowTile + r) * kLanes;
        Floats sums[2] = {Set(0), Set(0)};
        for (size_t slot = 0; slot < kExactSlots; ++slot) {
          const uint8_t* entry = table + slot * kExactGroupBytes +
                                 (std::rotr(word, static_cast<int>(4 * slot)) & (15 * kExactEntryBytes));
          sums[0] = sums[0] + _mm512_load_ps(entry);
          sums[1] = sums[1] + _mm512_load_ps(entry + 64);
        }
        const Floats before[2] = {half == 0 ? Set(0) : _mm512_load_ps(to), half == 0 ? Set(0) : _mm512_load_ps(to + 16)};
        _mm512_store_ps(to, sums[0] + before[0]);
        _mm512_store_ps(to + 16, sums[1] + before[1]);
      }
    }
  }
}

}  // namespace

const SignKernels kAvx512SignKernels = {PackBlock, BuildTables, Few, LoadLanes, StoreLanes, ManyNear, ManyExact};

}  // namespace addend
#endif
