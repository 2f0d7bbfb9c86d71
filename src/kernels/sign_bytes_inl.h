// Sign products on CPUs that look up bytes in tables of 16 (pshufb, tbl): the packed order, and few tokens.
// Included once by each sign_product_<target>.cpp, after simd_<target>.h and after what depends on the
// instruction set:
//
//   Bytes: a vector of 4 * kWidth bytes. LoadBytes, StoreBytes: aligned to it.
//   ZipLow8, ZipHigh8(Bytes a, Bytes b): a0 b0 a1 b1 ..., of the lower or upper halves of each 128 bits;
//     ZipLow16, ZipHigh16, ZipLow32, ZipHigh32: the same with two or four bytes at a time.
//   LowNibbles, HighNibbles(Bytes): of each byte, as bytes.
//   LoadTable(const uint8_t*): 16 bytes, repeated in each 128 bits.
//   LookUp(Bytes table, Bytes indices): table[index], for indices below 16.
//   Add8(Bytes a, Bytes b).
//
//   ByteSums, AddBytes(Bytes, ByteSums&): a sum of 16 bits for each byte.
//   CombineDigits(const ByteSums& low, const ByteSums& high, int bias, Floats sums[4]):
//     low + 128 * high - bias.
//   RowOfByte(size_t byte): which row of a tile has its signs in that byte, so that CombineDigits gives the
//     rows in order.
//   StoreDigits(const Floats entries[16 / kWidth], uint8_t* to): 16 entries, rounded to 14 bits, as 16 low
//     digits and 16 high digits of 7.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/prefetch.h"
#include "kernels/sign_kernels.h"

namespace addend::ADDEND_SIMD {
namespace {

// ---- Packed block: for each 8 columns 32 bytes, each with the 8 signs of one row ----

constexpr size_t kByteLanes = sizeof(Bytes);
constexpr size_t kTileVectors = kRowTile / kByteLanes;

void PackBlock(const uint64_t words[kRowTile], uint8_t* packed) {
  for (size_t i = 0; i < kSignBlockBytes; ++i) {
    packed[i] = static_cast<uint8_t>(words[RowOfByte(i % kRowTile)] >> (i / kRowTile * 8));
  }
}

// Transposes the 8 x 32 bytes of a block, doubling the length of what is in order three times.
ADDEND_TARGET inline void UnpackRows(const uint8_t* packed, uint64_t words[kRowTile]) {
  for (size_t first = 0; first < kRowTile; first += kByteLanes) {
    Bytes pairs[8], quads[8];  // pairs[v + 4 h]: two columns' bytes for bytes 8 h .. 8 h + 7 of each 16
    for (size_t v = 0; v < 4; ++v) {
      const Bytes a = LoadBytes(packed + 2 * v * kRowTile + first),
                  b = LoadBytes(packed + (2 * v + 1) * kRowTile + first);
      pairs[v] = ZipLow8(a, b);
      pairs[v + 4] = ZipHigh8(a, b);
    }
    for (size_t v = 0; v < 8; v += 2) {
      quads[v] = ZipLow16(pairs[v], pairs[v + 1]);
      quads[v + 1] = ZipHigh16(pairs[v], pairs[v + 1]);
    }
    for (size_t h = 0; h < 2; ++h) {
      for (size_t q = 0; q < 2; ++q) {
        const Bytes a = quads[4 * h + q], b = quads[4 * h + 2 + q];
        const Bytes rows[2] = {ZipLow32(a, b), ZipHigh32(a, b)};
        for (size_t s = 0; s < 2; ++s) {
          alignas(kByteLanes) uint64_t whole[kByteLanes / 8];  // two of each 128 bits
          StoreBytes(reinterpret_cast<uint8_t*>(whole), rows[s]);
          for (size_t i = 0; i < kByteLanes / 8; ++i)
            words[RowOfByte(first + i / 2 * 16 + 8 * h + 4 * q + 2 * s + i % 2)] = whole[i];
        }
      }
    }
  }
}

constexpr size_t GroupOfSlot(size_t slot) {
  return slot;
}

}  // namespace
}  // namespace addend::ADDEND_SIMD

#include "kernels/sign_lanes_inl.h"

namespace addend::ADDEND_SIMD {
namespace {

// ---- Few tokens ----
//
// A table entry is a 14-bit integer, kept as two digits of 7 bits, so that two of a digit add up within a
// byte: 8192 + (+-x0 +-x1 +-x2 +-x3) * 8191 / largest, where `largest` is the largest magnitude of an entry
// within 256 columns. Rounding to nearest even has no mean error. Tables of a block: for each 8 columns 64
// bytes, {16 low digits, 16 high digits} of the first four columns and of the others; then the scale.

constexpr float kEntryLimit = 8191, kEntryBias = 8192;
constexpr size_t kScaleOffset = 512;
constexpr size_t kEntryVectors = 16 / kWidth;
constexpr size_t kLaneBits = std::bit_width(kWidth) - 1;

// +-value by the bit `bit` of each lane's number.
ADDEND_TARGET inline Floats SignedByLane(size_t bit, float value) {
  float values[kWidth];
  for (size_t n = 0; n < kWidth; ++n) values[n] = n >> bit & 1 ? value : -value;
  return Load(values);
}

// The 16 entries of four columns. signs[b]: SignedByLane(b, inverse); the sign bits beyond those of a lane's
// number are those of the vector's.
ADDEND_TARGET inline void FillEntries(const float* x, float inverse, const Floats signs[kLaneBits],
                                      Floats entries[kEntryVectors]) {
  Floats lanes = Set(x[0]) * signs[0];
  for (size_t b = 1; b < kLaneBits; ++b) lanes = MultiplyAdd(Set(x[b]), signs[b], lanes);
  for (size_t v = 0; v < kEntryVectors; ++v) {
    float rest = kEntryBias;
    for (size_t b = kLaneBits; b < 4; ++b)
      rest += v >> (b - kLaneBits) & 1 ? x[b] * inverse : -x[b] * inverse;
    entries[v] = lanes + Set(rest);
  }
}

ADDEND_TARGET void BuildTables(const float* x, size_t blocks, uint8_t* tables) {
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t count = std::min(kScaleBlocks, blocks - first) * kColumnBlock;
    const float* from = x + first * kColumnBlock;
    uint8_t* to = tables + first * kTableBytes;
    const float largest = LargestGroup(from, count);
    const float scale = largest / kEntryLimit, inverse = Inverse(kEntryLimit, largest);
    std::memcpy(to + kScaleOffset, &scale, sizeof scale);

    Floats signs[kLaneBits];
    for (size_t b = 0; b < kLaneBits; ++b) signs[b] = SignedByLane(b, inverse);
    for (size_t c = 0; c < count; c += 4) {
      Floats entries[kEntryVectors];
      FillEntries(from + c, inverse, signs, entries);
      StoreDigits(entries, to + c / kColumnBlock * kTableBytes + c % kColumnBlock * 8);
    }
  }
}

ADDEND_TARGET void Few(const uint8_t* tile, size_t blocks, const uint8_t* tables, const float* scales,
                       float* y) {
  const size_t ahead = PrefetchDistance(blocks * kTableBytes);
  Floats result[kRowTile / kWidth] = {};
  for (size_t first = 0; first < blocks; first += kScaleBlocks) {
    const size_t end = std::min(blocks, first + kScaleBlocks);
    // At most 32 times two digits of 127: no sum exceeds 16 bits, even signed.
    ByteSums low[kTileVectors] = {}, high[kTileVectors] = {};
    for (size_t b = first; b < end; ++b) {
      PrefetchAhead(tile + b * kSignBlockBytes, kSignBlockBytes, ahead);
      for (size_t v = 0; v < 8; ++v) {
        const uint8_t* packed = tile + b * kSignBlockBytes + kRowTile * v;
        const uint8_t* table = tables + b * kTableBytes + 64 * v;
        for (size_t t = 0; t < kTileVectors; ++t) {
          const Bytes signs = LoadBytes(packed + kByteLanes * t);
          const Bytes n0 = LowNibbles(signs), n1 = HighNibbles(signs);
          AddBytes(Add8(LookUp(LoadTable(table), n0), LookUp(LoadTable(table + 32), n1)), low[t]);
          AddBytes(Add8(LookUp(LoadTable(table + 16), n0), LookUp(LoadTable(table + 48), n1)), high[t]);
        }
      }
    }
    float scale;
    std::memcpy(&scale, tables + first * kTableBytes + kScaleOffset, sizeof scale);
    const int bias = static_cast<int>((end - first) * kColumnBlock / 4) * static_cast<int>(kEntryBias);
    for (size_t t = 0; t < kTileVectors; ++t) {
      Floats sums[4];
      CombineDigits(low[t], high[t], bias, sums);
      for (size_t i = 0; i < 4; ++i) result[4 * t + i] = MultiplyAdd(sums[i], Set(scale), result[4 * t + i]);
    }
  }
  for (size_t i = 0; i < kRowTile / kWidth; ++i) Store(y + i * kWidth, result[i] * Load(scales + i * kWidth));
}

}  // namespace
}  // namespace addend::ADDEND_SIMD
