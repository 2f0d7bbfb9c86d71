// The element types of files, and their conversion to and from float32, exactly as ggml and safetensors
// define them. Block types store `block_elements` consecutive values of a row in `block_bytes`; rows are
// whole blocks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace addend {

// Numbered as in GGUF files (ggml_type).
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kBF16 = 30,
};

struct DTypeInfo {
  std::string_view name;  // "f16", "q4_K": as llama.cpp prints them
  size_t block_elements;
  size_t block_bytes;
};

bool IsKnownDType(uint32_t ggml_type);
const DTypeInfo& Info(DType type);
// Bytes of `elements` values in rows of whole blocks; elements must be a multiple of block_elements.
size_t BytesOf(DType type, size_t elements);

// values.size() must be a multiple of the block, bytes.size() == BytesOf(type, values.size()).
// Throws Error for integer types, which hold no numbers of a model.
void Dequantize(DType type, std::span<const std::byte> bytes, std::span<float> values);

// How blocks get their scale (and, where the type has one, their minimum).
enum class Rounding {
  kReference,  // from the largest values, as ggml's reference quantisers do, to the bit
  kSearched,   // the least squared error of many; some 30 times as slow. The same for Q8_0 and plain types
};

// To F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1 or Q4_0; throws Error for others, and for a finite value that is
// too large for the type.
void Quantize(DType type, std::span<const float> values, std::span<std::byte> bytes,
              Rounding rounding = Rounding::kReference);

}  // namespace addend
