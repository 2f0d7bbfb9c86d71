// The block-quantised types of ggml: their layout in files, and how a block becomes floats. The order of the
// operations is that of ggml's dequantize_row_* functions (ggml-quants.c), so results are the same to the
// bit.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

namespace addend::ggml {

// 32 values; q is stored as two halves: nibble j low = value j, high = value j + 16.
struct BlockQ4_0 {
  static constexpr size_t kElements = 32;
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {
  static constexpr size_t kElements = 32;
  uint16_t d, min;
  uint8_t q[16];
};
// As above, and bit j of `high` is the fifth bit of value j.
struct BlockQ5_0 {
  static constexpr size_t kElements = 32;
  uint16_t d;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ5_1 {
  static constexpr size_t kElements = 32;
  uint16_t d, min;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ8_0 {
  static constexpr size_t kElements = 32;
  uint16_t d;
  int8_t q[32];
};

// "K" types: super-blocks of 256 values with quantised scales of 16 or 32 values each.
struct BlockQ2_K {
  static constexpr size_t kElements = 256;
  uint8_t scales[16];  // low nibble: scale, high nibble: min
  uint8_t q[64];
  uint16_t d, min;
};
struct BlockQ3_K {
  static constexpr size_t kElements = 256;
  uint8_t high[32];
  uint8_t q[64];
  uint8_t scales[12];  // 16 of 6 bits
  uint16_t d;
};
struct BlockQ4_K {
  static constexpr size_t kElements = 256;
  uint16_t d, min;
  uint8_t scales[12];  // 8 scales and 8 mins of 6 bits
  uint8_t q[128];
};
struct BlockQ5_K {
  static constexpr size_t kElements = 256;
  uint16_t d, min;
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t q[128];
};
struct BlockQ6_K {
  static constexpr size_t kElements = 256;
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 &&
              sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

inline void Decode(const BlockQ4_0& block, float* out) {
  const float d = HalfToFloat(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((block.q[j] & 15) - 8) * d;
    out[j + 16] = static_cast<float>((block.q[j] >> 4) - 8) * d;
  }
}

inline void Decode(const BlockQ4_1& block, float* out) {
  const float d = HalfToFloat(block.d), min = HalfToFloat(block.min);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(block.q[j] & 15) * d + min;
    out[j + 16] = static_cast<float>(block.q[j] >> 4) * d + min;
  }
}

// Fifth bit of value i (0 to 31), in place.
inline int HighBit(const uint8_t (&high)[4], int i) {
  return (high[i / 8] >> (i % 8) & 1) << 4;
}

inline void Decode(const BlockQ5_0& block, float* out) {
  const float d = HalfToFloat(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(((block.q[j] & 15) | HighBit(block.high, j)) - 16) * d;
    out[j + 16] = static_cast<float>(((block.q[j] >> 4) | HighBit(block.high, j + 16)) - 16) * d;
  }
}

inline void Decode(const BlockQ5_1& block, float* out) {
  const float d = HalfToFloat(block.d), min = HalfToFloat(block.min);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((block.q[j] & 15) | HighBit(block.high, j)) * d + min;
    out[j + 16] = static_cast<float>((block.q[j] >> 4) | HighBit(block.high, j + 16)) * d + min;
  }
}

inline void Decode(const BlockQ8_0& block, float* out) {
  const float d = HalfToFloat(block.d);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(block.q[j]) * d;
}

// Q2_K and Q3_K keep two bits of value i in byte i % 32 + 32 * (i / 128), at bit 2 * (i / 32 % 4).
inline int TwoBits(const uint8_t (&q)[64], int i) {
  return q[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
}

inline void Decode(const BlockQ2_K& block, float* out) {
  const float d = HalfToFloat(block.d), min = HalfToFloat(block.min);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(block.scales[group] & 15);
    const float offset = min * static_cast<float>(block.scales[group] >> 4);
    for (int i = group * 16; i < group * 16 + 16; ++i) {
      out[i] = scale * static_cast<float>(TwoBits(block.q, i)) - offset;
    }
  }
}

// Bytes 0 to 7 hold the low four bits of the 16 scales (low nibbles first), bytes 8 to 11 their upper two
// bits.
inline int ScaleOfQ3_K(const uint8_t (&scales)[12], int group) {
  const int low = scales[group % 8] >> (group / 8 * 4) & 15;
  const int upper = scales[8 + group % 4] >> (group / 4 * 2) & 3;
  return (low | upper << 4) - 32;
}

inline void Decode(const BlockQ3_K& block, float* out) {
  const float d = HalfToFloat(block.d);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(ScaleOfQ3_K(block.scales, group));
    for (int i = group * 16; i < group * 16 + 16; ++i) {
      const int high = block.high[i % 32] >> (i / 32) & 1;
      out[i] = scale * static_cast<float>(TwoBits(block.q, i) - (high ? 0 : 4));
    }
  }
}

struct ScaleAndMin {
  int scale, min;
};
// Groups 0 to 3 lie in the low six bits of bytes 0 to 3 (scale) and 4 to 7 (min); groups 4 to 7 have their
// low four bits in bytes 8 to 11 and their upper two in the spare bits of bytes 0 to 7.
inline ScaleAndMin ScaleOfQ4_K(const uint8_t (&scales)[12], int group) {
  if (group < 4) return {scales[group] & 63, scales[group + 4] & 63};
  return {(scales[group + 4] & 15) | (scales[group - 4] >> 6) << 4,
          scales[group + 4] >> 4 | (scales[group] >> 6) << 4};
}

inline void Decode(const BlockQ4_K& block, float* out) {
  const float d = HalfToFloat(block.d), min = HalfToFloat(block.min);
  for (int group = 0; group < 8; ++group) {
    const ScaleAndMin packed = ScaleOfQ4_K(block.scales, group);
    const float scale = d * static_cast<float>(packed.scale), offset = min * static_cast<float>(packed.min);
    const uint8_t* q = block.q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int j = 0; j < 32; ++j)
      out[group * 32 + j] = scale * static_cast<float>(q[j] >> shift & 15) - offset;
  }
}

inline void Decode(const BlockQ5_K& block, float* out) {
  const float d = HalfToFloat(block.d), min = HalfToFloat(block.min);
  for (int group = 0; group < 8; ++group) {
    const ScaleAndMin packed = ScaleOfQ4_K(block.scales, group);
    const float scale = d * static_cast<float>(packed.scale), offset = min * static_cast<float>(packed.min);
    const uint8_t* q = block.q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int j = 0; j < 32; ++j) {
      const int value = (q[j] >> shift & 15) | (block.high[j] >> group & 1) << 4;
      out[group * 32 + j] = scale * static_cast<float>(value) - offset;
    }
  }
}

inline void Decode(const BlockQ6_K& block, float* out) {
  const float d = HalfToFloat(block.d);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(block.scales[group]);
    // Of each 128 values, quarters 0 and 1 are the low nibbles of 64 bytes, 2 and 3 the high ones.
    const int half = group / 8, quarter = group / 2 % 4;
    const uint8_t* low = block.low + half * 64 + quarter % 2 * 32 + group % 2 * 16;
    const uint8_t* high = block.high + half * 32 + group % 2 * 16;
    for (int j = 0; j < 16; ++j) {
      const int value = (low[j] >> (quarter / 2 * 4) & 15) | (high[j] >> (quarter * 2) & 3) << 4;
      out[group * 16 + j] = scale * static_cast<float>(value - 32);
    }
  }
}

}  // namespace addend::ggml
