// Vectors of one float: the reference for the other simd_<target>.h, which give the same names for their
// widths.
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

// What the shared loops are compiled as: the namespace, and the attribute of each function.
#define ADDEND_SIMD scalar
#define ADDEND_TARGET

namespace addend::scalar {

using Floats = float;
constexpr size_t kWidth = 1;
// Query rows whose sums, kTileVectors vectors each, fit the registers (attention_inl.h).
constexpr size_t kQueryTile = 2;

// One line for each operation.
// clang-format off
// The second form of a load or store touches only the first n < kWidth elements; a load fills up with zeros.
inline Floats Load(const float* p) { return *p; }
inline Floats Load(const float*, size_t) { return 0; }
inline void Store(float* p, Floats v) { *p = v; }
inline void Store(float*, Floats, size_t) {}
inline Floats LoadHalf(const uint16_t* p) { return HalfToFloat(*p); }
inline Floats LoadHalf(const uint16_t*, size_t) { return 0; }
inline Floats LoadBFloat16(const uint16_t* p) { return BFloat16ToFloat(*p); }
inline Floats LoadBFloat16(const uint16_t*, size_t) { return 0; }
inline Floats LoadInt8(const int8_t* p) { return *p; }
// A nibble n is n - 8.
inline Floats LoadLowNibbles(const uint8_t* p) { return static_cast<float>((*p & 15) - 8); }
inline Floats LoadHighNibbles(const uint8_t* p) { return static_cast<float>((*p >> 4) - 8); }
// In element i, `one` where bit i is 1, else `zero`.
inline Floats ByBits(uint32_t bits, float zero, float one) { return bits & 1 ? one : zero; }

inline Floats Set(float value) { return value; }
inline Floats SetHalf(uint16_t half) { return HalfToFloat(half); }
inline Floats MultiplyAdd(Floats a, Floats b, Floats c) { return a * b + c; }
// b when either is NaN, as x86 does.
inline Floats Max(Floats a, Floats b) { return a > b ? a : b; }
inline Floats Min(Floats a, Floats b) { return a < b ? a : b; }
inline Floats Round(Floats v) { return std::nearbyint(v); }
// 2^n for an integer n in [-126, 127]. Adding 1.5 * 2^23 leaves the integer in the low bits; 127 is the
// exponent's bias.
inline Floats PowerOfTwo(Floats n) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(n + (12582912.0f + 127.0f)) << 23);
}
inline float Sum(Floats v) { return v; }
inline float Largest(Floats v) { return v; }
// clang-format on

}  // namespace addend::scalar
