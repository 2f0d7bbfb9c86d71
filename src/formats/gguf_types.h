// The constants of GGUF files, above all the numbers that stand for the types of metadata values.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/gguf.h"

namespace addend::gguf {

inline constexpr std::string_view kMagic = "GGUF";
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr const char* kAlignmentKey = "general.alignment";

template <typename T>
inline constexpr uint32_t kNumber = UINT32_MAX;
template <>
inline constexpr uint32_t kNumber<uint8_t> = 0;
template <>
inline constexpr uint32_t kNumber<int8_t> = 1;
template <>
inline constexpr uint32_t kNumber<uint16_t> = 2;
template <>
inline constexpr uint32_t kNumber<int16_t> = 3;
template <>
inline constexpr uint32_t kNumber<uint32_t> = 4;
template <>
inline constexpr uint32_t kNumber<int32_t> = 5;
template <>
inline constexpr uint32_t kNumber<float> = 6;
template <>
inline constexpr uint32_t kNumber<bool> = 7;
template <>
inline constexpr uint32_t kNumber<std::string> = 8;
template <>
inline constexpr uint32_t kNumber<GgufArray> = 9;
template <>
inline constexpr uint32_t kNumber<uint64_t> = 10;
template <>
inline constexpr uint32_t kNumber<int64_t> = 11;
template <>
inline constexpr uint32_t kNumber<double> = 12;

inline constexpr std::string_view kNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                              "int32",  "float32", "bool",   "string", "array",
                                              "uint64", "int64",   "float64"};
template <typename T>
inline constexpr std::string_view kName = kNames[kNumber<T>];

// The smallest number of bytes that a value can take in a file.
template <typename T>
inline constexpr uint64_t kSmallest = sizeof(T);
template <>
inline constexpr uint64_t kSmallest<std::string> = sizeof(uint64_t);

inline uint64_t RoundUp(uint64_t position, uint64_t alignment) {  // alignment: a power of two
  return (position + alignment - 1) & ~(alignment - 1);
}

}  // namespace addend::gguf
