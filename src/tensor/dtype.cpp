#include "tensor/dtype.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "tensor/ggml_blocks.h"
#include "tensor/ggml_encode.h"
#include "tensor/half.h"
#include "tensor/matrix.h"

namespace addend {
namespace {

using namespace ggml;

constexpr size_t kTypeNumbers = 31;  // one more than the largest of DType

constexpr std::array<DTypeInfo, kTypeNumbers> MakeTable() {
  std::array<DTypeInfo, kTypeNumbers> table{};  // an empty name marks a number that is no DType
  const auto add = [&](DType type, std::string_view name, size_t elements, size_t bytes) {
    table[static_cast<size_t>(type)] = {name, elements, bytes};
  };
  add(DType::kF64, "f64", 1, 8);
  add(DType::kF32, "f32", 1, 4);
  add(DType::kF16, "f16", 1, 2);
  add(DType::kBF16, "bf16", 1, 2);
  add(DType::kI8, "i8", 1, 1);
  add(DType::kI16, "i16", 1, 2);
  add(DType::kI32, "i32", 1, 4);
  add(DType::kI64, "i64", 1, 8);
  add(DType::kQ4_0, "q4_0", BlockQ4_0::kElements, sizeof(BlockQ4_0));
  add(DType::kQ4_1, "q4_1", BlockQ4_1::kElements, sizeof(BlockQ4_1));
  add(DType::kQ5_0, "q5_0", BlockQ5_0::kElements, sizeof(BlockQ5_0));
  add(DType::kQ5_1, "q5_1", BlockQ5_1::kElements, sizeof(BlockQ5_1));
  add(DType::kQ8_0, "q8_0", BlockQ8_0::kElements, sizeof(BlockQ8_0));
  add(DType::kQ2_K, "q2_K", BlockQ2_K::kElements, sizeof(BlockQ2_K));
  add(DType::kQ3_K, "q3_K", BlockQ3_K::kElements, sizeof(BlockQ3_K));
  add(DType::kQ4_K, "q4_K", BlockQ4_K::kElements, sizeof(BlockQ4_K));
  add(DType::kQ5_K, "q5_K", BlockQ5_K::kElements, sizeof(BlockQ5_K));
  add(DType::kQ6_K, "q6_K", BlockQ6_K::kElements, sizeof(BlockQ6_K));
  return table;
}
constexpr std::array<DTypeInfo, kTypeNumbers> kTable = MakeTable();

void CheckSizes(DType type, size_t bytes, size_t values) {
  if (bytes != BytesOf(type, values)) {
    throw Error(values, " values of ", Info(type).name, " take ", BytesOf(type, values), " bytes, found ",
                bytes);
  }
}

// Bytes of a mapped file need not be aligned for their type, hence memcpy for every load and store.
template <typename T>
T Load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename Block>
void DecodeBlocks(std::span<const std::byte> bytes, std::span<float> values) {
  for (size_t i = 0; i < values.size() / Block::kElements; ++i) {
    Decode(Load<Block>(bytes.data() + i * sizeof(Block)), values.data() + i * Block::kElements);
  }
}

template <typename Stored, typename Convert>
void DecodeEach(std::span<const std::byte> bytes, std::span<float> values, Convert convert) {
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = convert(Load<Stored>(bytes.data() + i * sizeof(Stored)));
}

// A finite value may not become an infinity unnoticed; `too_large_for` says which type it was too large for,
// and which ones can hold it.
template <typename Convert>
void EncodeEach16(std::span<const float> values, std::span<std::byte> bytes, Convert convert,
                  const char* too_large_for) {
  const uint16_t infinity = convert(std::numeric_limits<float>::infinity());
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t stored = convert(values[i]);
    if ((stored & 0x7fff) == infinity && std::isfinite(values[i])) {
      throw Error("the value ", values[i], " is too large for ", too_large_for);
    }
    std::memcpy(bytes.data() + i * sizeof stored, &stored, sizeof stored);
  }
}

template <typename Block>
void EncodeBlocks(std::span<const float> values, Rounding rounding, std::span<std::byte> bytes) {
  const size_t bad = FirstNonFinite(values);
  if (bad != values.size()) throw Error("cannot quantise: value ", bad, " is ", values[bad]);
  for (size_t i = 0; i < values.size() / Block::kElements; ++i) {
    Block block;
    Encode(values.subspan(i * Block::kElements, Block::kElements), rounding, block);
    std::memcpy(bytes.data() + i * sizeof block, &block, sizeof block);
  }
}

}  // namespace

bool IsKnownDType(uint32_t ggml_type) {
  return ggml_type < kTypeNumbers && !kTable[ggml_type].name.empty();
}

const DTypeInfo& Info(DType type) {
  const uint32_t number = static_cast<uint32_t>(type);
  if (!IsKnownDType(number)) throw Error("unknown tensor type ", number);
  return kTable[number];
}

size_t BytesOf(DType type, size_t elements) {
  const DTypeInfo& info = Info(type);
  if (elements % info.block_elements != 0) {
    throw Error(elements, " values are no whole blocks of ", info.name, ", which have ", info.block_elements);
  }
  return elements / info.block_elements * info.block_bytes;
}

void Dequantize(DType type, std::span<const std::byte> bytes, std::span<float> values) {
  CheckSizes(type, bytes.size(), values.size());
  switch (type) {
    case DType::kF32:
      return DecodeEach<float>(bytes, values, [](float value) { return value; });
    case DType::kF64:
      return DecodeEach<double>(bytes, values, [](double value) { return static_cast<float>(value); });
    case DType::kF16:
      return DecodeEach<uint16_t>(bytes, values, [](uint16_t half) { return HalfToFloat(half); });
    case DType::kBF16:
      return DecodeEach<uint16_t>(bytes, values, [](uint16_t bits) { return BFloat16ToFloat(bits); });
    case DType::kQ4_0:
      return DecodeBlocks<BlockQ4_0>(bytes, values);
    case DType::kQ4_1:
      return DecodeBlocks<BlockQ4_1>(bytes, values);
    case DType::kQ5_0:
      return DecodeBlocks<BlockQ5_0>(bytes, values);
    case DType::kQ5_1:
      return DecodeBlocks<BlockQ5_1>(bytes, values);
    case DType::kQ8_0:
      return DecodeBlocks<BlockQ8_0>(bytes, values);
    case DType::kQ2_K:
      return DecodeBlocks<BlockQ2_K>(bytes, values);
    case DType::kQ3_K:
      return DecodeBlocks<BlockQ3_K>(bytes, values);
    case DType::kQ4_K:
      return DecodeBlocks<BlockQ4_K>(bytes, values);
    case DType::kQ5_K:
      return DecodeBlocks<BlockQ5_K>(bytes, values);
    case DType::kQ6_K:
      return DecodeBlocks<BlockQ6_K>(bytes, values);
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
      throw Error("a tensor of ", Info(type).name, " holds no floating-point values");
  }
}

void Quantize(DType type, std::span<const float> values, std::span<std::byte> bytes, Rounding rounding) {
  CheckSizes(type, bytes.size(), values.size());
  switch (type) {
    case DType::kF32:
      if (!values.empty()) std::memcpy(bytes.data(), values.data(), values.size_bytes());
      return;
    case DType::kF16:
      return EncodeEach16(values, bytes, FloatToHalf, "f16, which ends at 65504; bf16 and f32 can hold it");
    case DType::kBF16:
      return EncodeEach16(values, bytes, FloatToBFloat16, "bf16; f32 can hold it");
    case DType::kQ8_0:
      return EncodeBlocks<BlockQ8_0>(values, rounding, bytes);
    case DType::kQ5_1:
      return EncodeBlocks<BlockQ5_1>(values, rounding, bytes);
    case DType::kQ5_0:
      return EncodeBlocks<BlockQ5_0>(values, rounding, bytes);
    case DType::kQ4_1:
      return EncodeBlocks<BlockQ4_1>(values, rounding, bytes);
    case DType::kQ4_0:
      return EncodeBlocks<BlockQ4_0>(values, rounding, bytes);
    default:
      throw Error("cannot quantise to ", Info(type).name,
                  "; f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 and q4_0 are possible");
  }
}

}  // namespace addend
