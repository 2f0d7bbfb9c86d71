#include "tensor/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct NamedType {
  const char* golden_name;
  DType type;
};
constexpr NamedType kBlockTypes[] = {{"Q4_0", DType::kQ4_0}, {"Q4_1", DType::kQ4_1}, {"Q5_0", DType::kQ5_0},
                                     {"Q5_1", DType::kQ5_1}, {"Q8_0", DType::kQ8_0}, {"Q2_K", DType::kQ2_K},
                                     {"Q3_K", DType::kQ3_K}, {"Q4_K", DType::kQ4_K}, {"Q5_K", DType::kQ5_K},
                                     {"Q6_K", DType::kQ6_K}};
constexpr NamedType kEncodedTypes[] = {{"F16", DType::kF16},   {"BF16", DType::kBF16}, {"Q8_0", DType::kQ8_0},
                                       {"Q4_0", DType::kQ4_0}, {"Q4_1", DType::kQ4_1}, {"Q5_0", DType::kQ5_0},
                                       {"Q5_1", DType::kQ5_1}};
constexpr DType kEncodedBlocks[] = {DType::kQ8_0, DType::kQ5_1, DType::kQ5_0, DType::kQ4_1, DType::kQ4_0};

std::vector<std::byte> FromHex(const std::string& text) {
  std::vector<std::byte> bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<float> FloatsFromHex(const std::string& text) {
  const std::vector<std::byte> bytes = FromHex(text);
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

// Equal to the bit, so that -0 and +0 differ.
std::vector<uint32_t> Bits(std::span<const float> values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

class GgmlBlocks : public ::testing::Test {
 protected:
  const Json golden_ = ParseJson(ReadTextFile(test::GoldenPath("ggml_blocks.json")), "ggml_blocks.json");
};

TEST_F(GgmlBlocks, DecodeToTheBit) {
  for (const auto& [name, type] : kBlockTypes) {
    const Json& entry = golden_.at("dequantize").at(name);
    const std::vector<std::byte> bytes = FromHex(entry.at("bytes"));
    const std::vector<float> expected = FloatsFromHex(entry.at("floats"));
    ASSERT_EQ(expected.size(), 2 * Info(type).block_elements) << name;
    std::vector<float> values(expected.size());
    Dequantize(type, bytes, values);
    EXPECT_EQ(Bits(values), Bits(expected)) << name;
  }
}

TEST_F(GgmlBlocks, EncodeToTheByte) {
  for (const auto& [name, type] : kEncodedTypes) {
    const Json& entry = golden_.at("quantize").at(name);
    const std::vector<float> values = FloatsFromHex(entry.at("floats"));
    const std::vector<std::byte> expected = FromHex(entry.at("bytes"));
    std::vector<std::byte> bytes(expected.size());
    Quantize(type, values, bytes);
    EXPECT_EQ(bytes, expected) << name;
  }
}

// Tensors of a mapped file can lie at any address.
TEST_F(GgmlBlocks, DecodeFromOddAddresses) {
  const Json& entry = golden_.at("dequantize").at("Q6_K");
  std::vector<std::byte> bytes = FromHex(entry.at("bytes"));
  bytes.insert(bytes.begin(), std::byte{0});
  std::vector<float> values(512);
  Dequantize(DType::kQ6_K, std::span(bytes).subspan(1), values);
  EXPECT_EQ(Bits(values), Bits(FloatsFromHex(entry.at("floats"))));
}

TEST(DType, SizesOfRows) {
  EXPECT_EQ(BytesOf(DType::kF32, 3), 12u);
  EXPECT_EQ(BytesOf(DType::kQ4_1, 64), 40u);
  EXPECT_EQ(BytesOf(DType::kQ6_K, 256), 210u);
  EXPECT_EQ(BytesOf(DType::kQ8_0, 0), 0u);
  EXPECT_THAT([] { BytesOf(DType::kQ4_0, 33); }, ThrowsMessage<Error>(HasSubstr("33 values")));
}

TEST(DType, KnownNumbers) {
  for (const uint32_t number : {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 24, 25, 26, 27, 28, 30}) {
    EXPECT_TRUE(IsKnownDType(number)) << number;
  }
  for (const uint32_t number : {4u, 5u, 9u, 15u, 23u, 29u, 31u, 1000u, UINT32_MAX}) {
    EXPECT_FALSE(IsKnownDType(number)) << number;
    EXPECT_THROW(Info(static_cast<DType>(number)), Error);
  }
  EXPECT_EQ(Info(DType::kQ4_K).name, "q4_K");
}

TEST(DType, PlainFloatsRoundTrip) {
  const std::vector<float> values = {0.0f, -0.0f, 1.5f, -2.0f, 65504.0f, 0x1p-24f};
  for (const DType type : {DType::kF32, DType::kF16}) {
    std::vector<std::byte> bytes(BytesOf(type, values.size()));
    Quantize(type, values, bytes);
    std::vector<float> again(values.size());
    Dequantize(type, bytes, again);
    EXPECT_EQ(Bits(again), Bits(values)) << Info(type).name;
  }
}

TEST(DType, DoublesAreRounded) {
  const double doubles[] = {0.1, -1e300};
  std::vector<float> values(2);
  Dequantize(DType::kF64, std::as_bytes(std::span(doubles)), values);
  EXPECT_EQ(values[0], 0.1f);
  EXPECT_EQ(values[1], -std::numeric_limits<float>::infinity());
}

TEST(DType, WrongUseIsRefused) {
  std::vector<std::byte> bytes(20);
  std::vector<float> values(32);
  EXPECT_THAT([&] { Dequantize(DType::kQ4_0, bytes, values); }, ThrowsMessage<Error>(HasSubstr("found 20")));
  EXPECT_THROW(Quantize(DType::kQ4_0, values, bytes), Error);
  EXPECT_THAT([&] { Dequantize(DType::kI8, bytes, std::span(values).first(20)); },
              ThrowsMessage<Error>(HasSubstr("i8")));
  EXPECT_THAT([&] { Quantize(DType::kF64, values, std::span(bytes).first(8)); },
              ThrowsMessage<Error>(HasSubstr("f64")));
}

TEST(DType, QuantisingWhatABlockCannotHoldIsRefused) {
  for (const DType type : kEncodedBlocks) {
    for (const Rounding rounding : {Rounding::kReference, Rounding::kSearched}) {
      std::vector<float> values(64, 1.0f);
      std::vector<std::byte> bytes(BytesOf(type, values.size()));
      const auto quantize = [&] { Quantize(type, values, bytes, rounding); };
      values[40] = std::nanf("");
      EXPECT_THAT(quantize, ThrowsMessage<Error>(HasSubstr("value 40 is nan")));
      values[40] = 1e8f;
      EXPECT_THAT(quantize, ThrowsMessage<Error>(HasSubstr("too large")));
      values[40] = 1e-42f;
      EXPECT_NO_THROW(quantize());
    }
  }
}

double SquaredError(DType type, std::span<const float> values, Rounding rounding) {
  std::vector<std::byte> bytes(BytesOf(type, values.size()));
  Quantize(type, values, bytes, rounding);
  std::vector<float> decoded(values.size());
  Dequantize(type, bytes, decoded);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += std::pow(double{values[i]} - decoded[i], 2);
  return sum;
}

TEST(SearchedRounding, IsNeverWorseThanTheReferenceAndMostlyBetter) {
  Rng rng(3);
  for (const DType type : kEncodedBlocks) {
    double searched_sum = 0, reference_sum = 0;
    for (int block = 0; block < 200; ++block) {
      std::vector<float> values(32);
      // Ordinary blocks, one-sided ones, and ones with an outlier.
      for (float& value : values) value = 0.1f * rng.Normal() + (block % 3 == 1 ? 1.0f : 0.0f);
      if (block % 3 == 2) values[block % 32] = 2;
      const double searched = SquaredError(type, values, Rounding::kSearched);
      const double reference = SquaredError(type, values, Rounding::kReference);
      EXPECT_LE(searched, reference * (1 + 1e-5)) << Info(type).name;
      searched_sum += searched;
      reference_sum += reference;
    }
    const double most = type == DType::kQ8_0 ? 1 : 0.95;
    EXPECT_LE(searched_sum, most * reference_sum) << Info(type).name;
  }
}

TEST(SearchedRounding, FindsWhatIsExact) {
  for (const DType type : {DType::kQ5_1, DType::kQ5_0, DType::kQ4_1, DType::kQ4_0}) {
    std::vector<float> values(32);
    for (size_t i = 0; i < 32; ++i) values[i] = 0.25f * static_cast<float>(i % 15) - 1.75f;
    EXPECT_EQ(SquaredError(type, values, Rounding::kSearched), 0) << Info(type).name;
    EXPECT_EQ(SquaredError(type, std::vector<float>(64, 0.0f), Rounding::kSearched), 0) << Info(type).name;
  }
}

TEST(DType, AFiniteValueDoesNotBecomeAnInfinity) {
  std::vector<std::byte> bytes(2 * sizeof(uint16_t));
  const auto encode = [&](DType type, float value) { Quantize(type, std::vector{1.0f, value}, bytes); };
  EXPECT_THAT(
      [&] { encode(DType::kF16, -1e6f); },
      ThrowsMessage<Error>(AllOf(HasSubstr("value -1e+06 is too large for f16"), HasSubstr("bf16 and f32"))));
  EXPECT_THAT([&] { encode(DType::kBF16, std::numeric_limits<float>::max()); },
              ThrowsMessage<Error>(AllOf(HasSubstr("too large for bf16"), HasSubstr("f32 can hold it"))));
  EXPECT_NO_THROW(encode(DType::kF16, 65519.0f));  // rounds to 65504
  EXPECT_THROW(encode(DType::kF16, 65520.0f), Error);
  EXPECT_NO_THROW(encode(DType::kBF16, 1e38f));
  // What was not finite before is for others to judge.
  EXPECT_NO_THROW(encode(DType::kF16, std::numeric_limits<float>::infinity()));
  EXPECT_NO_THROW(encode(DType::kBF16, std::nanf("")));
}

}  // namespace
}  // namespace addend
