// Sign products of many tokens, and the shared parts of those of few, over the vectors of one target.
// Included once by each sign_product_<target>.cpp (which are small), after simd_<target>.h and after what
// depends on the order of the packed bytes:
//   UnpackRows(const uint8_t* packed, uint64_t words[kRowTile]): a block as 16 nibbles ("slots") for each
//   row. GroupOfSlot(size_t slot): the four columns that a slot belongs to.
#pragma once
#include <algorithm>
#include <bit>
#include <cfloat>
#include <cstddef>
#include <cstdint>

#include "kernels/sign_kernels.h"

namespace addend::ADDEND_SIMD {
namespace {

// Below this the inverse of a scale is not a float any more. Such inputs count as zeros.
constexpr float kSmallest = 1e-30f;

// ---- Few tokens: the scale of the table entries ----

constexpr size_t kScaleBlocks = 4;  // a scale is shared by 256 columns

// The largest |x0| + |x1| + |x2| + |x3| over groups of four; not finite if any x is not.
ADDEND_TARGET inline float LargestGroup(const float* x, size_t count) {
  Floats largest = Set(0), total = Set(0);
  for (size_t i = 0; i < count; i += kWidth) {
    const Floats sums = SumsOfFour(Abs(Load(x + i)));
    largest = Max(largest, sums);
    total = total + sums;
  }
  const float sum = Sum(total);
  return sum <= FLT_MAX ? Largest(largest) : sum;
}

// limit / magnitude, or 0 for magnitudes that count as 0.
inline float Inverse(float limit, float magnitude) {
  return magnitude > kSmallest ? limit / magnitude : 0.0f;
}

// ---- Lanes ----

// Transposes kWidth x kWidth floats: first within parts of four rows and columns, then the parts.
ADDEND_TARGET inline void Transpose(Floats rows[kWidth]) {
  Floats pairs[kWidth];
  for (size_t i = 0; i < kWidth; i += 2) {
    pairs[i] = ZipLow(rows[i], rows[i + 1]);
    pairs[i + 1] = ZipHigh(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < kWidth; i += 4) {  // part j of rows[i + k]: rows i .. i + 3 of column 4 j + k
    rows[i] = ZipPairsLow(pairs[i], pairs[i + 2]);
    rows[i + 1] = ZipPairsHigh(pairs[i], pairs[i + 2]);
    rows[i + 2] = ZipPairsLow(pairs[i + 1], pairs[i + 3]);
    rows[i + 3] = ZipPairsHigh(pairs[i + 1], pairs[i + 3]);
  }
  TransposeParts(rows);
}

ADDEND_TARGET void LoadLanes(ConstMatrixView x, const float* scales, float* lanes) {
  for (size_t c = 0; c < x.cols; c += kWidth) {
    const size_t cols = std::min(kWidth, x.cols - c);
    for (size_t t = 0; t < kLanes; t += kWidth) {
      Floats tile[kWidth];
      for (size_t i = 0; i < kWidth; ++i) {
        const float* from = x.data + (t + i) * x.stride + c;
        tile[i] = t + i >= x.rows ? Set(0) : cols == kWidth ? Load(from) : Load(from, cols);
      }
      Transpose(tile);
      for (size_t i = 0; i < cols; ++i) {
        Store(lanes + (c + i) * kLanes + t, scales != nullptr ? tile[i] * Set(scales[c + i]) : tile[i]);
      }
    }
  }
}

ADDEND_TARGET void StoreLanes(const float* lanes, MatrixView y) {
  for (size_t r = 0; r < y.cols; r += kWidth) {
    const size_t rows = std::min(kWidth, y.cols - r);
    for (size_t t = 0; t < y.rows; t += kWidth) {
      Floats tile[kWidth];
      for (size_t i = 0; i < kWidth; ++i) tile[i] = i < rows ? Load(lanes + (r + i) * kLanes + t) : Set(0);
      Transpose(tile);
      const size_t tokens = std::min(kWidth, y.rows - t);
      for (size_t i = 0; i < tokens; ++i) {
        float* to = y.data + (t + i) * y.stride + r;
        if (rows == kWidth) {
          Store(to, tile[i]);
        } else {
          Store(to, tile[i], rows);
        }
      }
    }
  }
}

// ---- Many tokens, 16-bit entries ----

constexpr size_t kSlots = kColumnBlock / 4;
constexpr size_t kVectors = kLanes / kWidth;      // of floats for the 32 tokens
constexpr size_t kIntVectors = kVectors / 2;      // of 16-bit integers
constexpr size_t kEntryBytes = kLanes * 2;        // of a table entry
constexpr size_t kGroupBytes = 16 * kEntryBytes;  // of the table of four columns

// What two of the four columns contribute to a sum, for their signs (-,-), (+,-), (-,+), (+,+).
struct IntegerPair {
  Ints sums[4];
};
struct FloatPair {
  Floats sums[4];
};

// Lanes 2 kWidth v .. of two columns: an integer vector's even elements are its first kWidth tokens, the odd
// ones the others.
ADDEND_TARGET inline IntegerPair QuantizedPair(const float* x, const Floats inverse[2]) {
  Floats sum[2], difference[2];
  for (size_t h = 0; h < 2; ++h) {
    const Floats a = Load(x + h * kWidth), b = Load(x + kLanes + h * kWidth);
    sum[h] = (a + b) * inverse[h];
    difference[h] = (a - b) * inverse[h];
  }
  const Ints s = Interleave16(sum[0], sum[1]), d = Interleave16(difference[0], difference[1]);
  return {{Subtract16(ZeroInts(), s), d, Subtract16(ZeroInts(), d), s}};
}

// Table of one column block: [slot][16 sums][32 tokens]. Any sum over the block fits 16 bits, since each
// token is scaled by the sum of its magnitudes; 32750 leaves room for the roundings of 32 pairs. steps: what
// a unit of an entry is worth, over 65536.
ADDEND_TARGET inline void BuildLaneTables(const float* in, uint8_t* table, Floats steps[kVectors]) {
  constexpr float kLimit = 32750;
  Floats inverse[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    Floats total = Set(0);
    for (size_t c = 0; c < kColumnBlock; ++c) total = total + Abs(Load(in + c * kLanes + v * kWidth));
    inverse[v] = InverseOrZero(Set(kLimit), total, Set(kSmallest));
    steps[v] = total * Set(1 / kLimit / 65536);
  }
  for (size_t slot = 0; slot < kSlots; ++slot) {
    for (size_t v = 0; v < kIntVectors; ++v) {
      const float* x = in + GroupOfSlot(slot) * 4 * kLanes + v * 2 * kWidth;
      const IntegerPair low = QuantizedPair(x, inverse + 2 * v),
                        high = QuantizedPair(x + 2 * kLanes, inverse + 2 * v);
      uint8_t* to = table + slot * kGroupBytes + v * sizeof(Ints);
      for (size_t n = 0; n < 16; ++n)
        StoreInts(to + n * kEntryBytes, Add16(low.sums[n % 4], high.sums[n / 4]));
    }
  }
}

// out[t] (+)= the sum of a row's 16 look-ups.
ADDEND_TARGET inline void AddRow(uint64_t word, const uint8_t* table, const Floats steps[kVectors],
                                 bool first_block, float* out) {
  word = std::rotl(word, 6);  // so that a nibble in place is the byte offset of its entry
  static_assert(kEntryBytes == 1 << 6);
  // Two sets of sums, to hide some of the latency of the additions.
  Ints sums[2][kIntVectors] = {};
  for (size_t slot = 0; slot < kSlots; slot += 2) {
    for (size_t s = 0; s < 2; ++s) {
      const size_t offset = std::rotr(word, static_cast<int>(4 * (slot + s))) & (15 * kEntryBytes);
      const uint8_t* entry = table + (slot + s) * kGroupBytes + offset;
      for (size_t v = 0; v < kIntVectors; ++v)
        sums[s][v] = Add16(sums[s][v], LoadInts(entry + v * sizeof(Ints)));
    }
  }
  for (size_t v = 0; v < kIntVectors; ++v) {
    const Ints sum = Add16(sums[0][v], sums[1][v]);
    // Each 16-bit sum becomes 65536 times itself in 32 bits; the step makes up for it.
    const Floats parts[2] = {EvenTimes65536(sum), OddTimes65536(sum)};
    for (size_t h = 0; h < 2; ++h) {
      float* to = out + (2 * v + h) * kWidth;
      Store(to, MultiplyAdd(parts[h], steps[2 * v + h], first_block ? Set(0) : Load(to)));
    }
  }
}

ADDEND_TARGET void ManyNear(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out) {
  alignas(64) uint8_t table[kSlots * kGroupBytes];
  for (size_t b = 0; b < blocks; ++b) {
    Floats steps[kVectors];
    BuildLaneTables(in + b * kColumnBlock * kLanes, table, steps);
    for (size_t tile = 0; tile < tiles; ++tile) {
      alignas(64) uint64_t words[kRowTile];
      UnpackRows(packed + (tile * blocks + b) * kSignBlockBytes, words);
      for (size_t r = 0; r < kRowTile; ++r)
        AddRow(words[r], table, steps, b == 0, out + (tile * kRowTile + r) * kLanes);
    }
  }
}

// ---- Many tokens, float32 entries: twice as long, so half a block at a time, to have the tables in the
// first cache ----

constexpr size_t kExactSlots = kSlots / 2;
constexpr size_t kExactEntryBytes = kLanes * sizeof(float);
constexpr size_t kExactGroupBytes = 16 * kExactEntryBytes;

ADDEND_TARGET inline FloatPair ExactPair(const float* x) {
  const Floats a = Load(x), b = Load(x + kLanes);
  return {{Set(0) - (a + b), a - b, b - a, a + b}};
}

ADDEND_TARGET inline void BuildExactTables(const float* in, size_t first_slot, uint8_t* table) {
  for (size_t slot = 0; slot < kExactSlots; ++slot) {
    for (size_t v = 0; v < kVectors; ++v) {
      const float* x = in + GroupOfSlot(first_slot + slot) * 4 * kLanes + v * kWidth;
      const FloatPair low = ExactPair(x), high = ExactPair(x + 2 * kLanes);
      float* to = reinterpret_cast<float*>(table + slot * kExactGroupBytes) + v * kWidth;
      for (size_t n = 0; n < 16; ++n) Store(to + n * kLanes, low.sums[n % 4] + high.sums[n / 4]);
    }
  }
}

ADDEND_TARGET inline void AddExactRow(uint64_t word, const uint8_t* table, bool first_block, float* out) {
  word = std::rotl(word, 7);
  static_assert(kExactEntryBytes == 1 << 7);
  Floats sums[kVectors] = {};
  for (size_t slot = 0; slot < kExactSlots; ++slot) {
    const size_t offset = std::rotr(word, static_cast<int>(4 * slot)) & (15 * kExactEntryBytes);
    const float* entry = reinterpret_cast<const float*>(table + slot * kExactGroupBytes + offset);
    for (size_t v = 0; v < kVectors; ++v) sums[v] = sums[v] + Load(entry + v * kWidth);
  }
  for (size_t v = 0; v < kVectors; ++v) {
    float* to = out + v * kWidth;
    Store(to, first_block ? sums[v] : sums[v] + Load(to));
  }
}

ADDEND_TARGET void ManyExact(const uint8_t* packed, size_t tiles, size_t blocks, const float* in,
                             float* out) {
  alignas(64) uint8_t table[kExactSlots * kExactGroupBytes];
  for (size_t half = 0; half < 2 * blocks; ++half) {
    const size_t b = half / 2, first_slot = half % 2 * kExactSlots;
    BuildExactTables(in + b * kColumnBlock * kLanes, first_slot, table);
    for (size_t tile = 0; tile < tiles; ++tile) {
      alignas(64) uint64_t words[kRowTile];
      UnpackRows(packed + (tile * blocks + b) * kSignBlockBytes, words);
      for (size_t r = 0; r < kRowTile; ++r) {
        AddExactRow(words[r] >> (4 * first_slot), table, half == 0, out + (tile * kRowTile + r) * kLanes);
      }
    }
  }
}

}  // namespace
}  // namespace addend::ADDEND_SIMD
