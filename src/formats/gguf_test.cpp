#include "formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "formats/file_bytes.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

Path TemporaryPath() {
  return Path(::testing::TempDir()) /
         (std::string("addend_") + ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".gguf");
}

GgufMetadata AllValueTypes() {
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string("test"));
  metadata.Set("u8", uint8_t{200});
  metadata.Set("i8", int8_t{-100});
  metadata.Set("u16", uint16_t{60000});
  metadata.Set("i16", int16_t{-30000});
  metadata.Set("u32", uint32_t{4000000000});
  metadata.Set("i32", int32_t{-2000000000});
  metadata.Set("u64", uint64_t{1} << 63);
  metadata.Set("i64", -(int64_t{1} << 62));
  metadata.Set("f32", 0.5f);
  metadata.Set("f64", 0.1);
  metadata.Set("bool", true);
  metadata.Set("strings", std::vector<std::string>{"a", "", "\u00e9t\u00e9"});
  metadata.Set("integers", std::vector<int32_t>{1, -2, 3});
  metadata.Set("floats", std::vector<float>{0.25f, -1});
  metadata.Set("bools", std::vector<bool>{true, false, true});
  metadata.Set("empty", std::vector<uint64_t>{});
  return metadata;
}

std::vector<std::byte> CountingBytes(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

void WriteExample(const Path& path) {
  GgufWriter writer(path, AllValueTypes());
  writer.Describe("odd", DType::kI8, {5, 3});
  writer.Describe("blocks", DType::kQ8_0, {32, 2});
  writer.Describe("single", DType::kF32, {1});
  writer.Data(CountingBytes(15));
  writer.Data(CountingBytes(68));
  writer.Data(CountingBytes(4));
  writer.Commit();
}

TEST(GgufWriter, FileReadsBackAsWritten) {
  const Path path = TemporaryPath();
  WriteExample(path);
  const GgufFile file(path);
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.metadata().entries(), AllValueTypes().entries());
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "odd");
  EXPECT_THAT(file.Tensor("odd").shape, ElementsAre(5, 3));
  EXPECT_THAT(file.Tensor("odd").bytes, ::testing::ElementsAreArray(CountingBytes(15)));
  EXPECT_EQ(file.Tensor("blocks").type, DType::kQ8_0);
  EXPECT_THAT(file.Tensor("blocks").bytes, ::testing::ElementsAreArray(CountingBytes(68)));
  EXPECT_THAT(file.Tensor("single").bytes, ::testing::ElementsAreArray(CountingBytes(4)));
  EXPECT_EQ(file.Find("other"), nullptr);
  EXPECT_THAT([&] { file.Tensor("other"); },
              ThrowsMessage<Error>(AllOf(StartsWith(path.string()), HasSubstr("'other'"))));
  EXPECT_TRUE(LooksLikeGguf(path));
  std::filesystem::remove(path);
}

TEST(GgufWriter, SameInputGivesTheSameBytes) {
  const Path first = TemporaryPath(), second = first.string() + "2";
  WriteExample(first);
  WriteExample(second);
  EXPECT_EQ(ReadTextFile(first), ReadTextFile(second));
  std::filesystem::remove(first);
  std::filesystem::remove(second);
}

// Worked by hand from docs/format.md, section 2; the Python package `gguf` 0.19.0 lists this file as one key
// and two tensors.
TEST(GgufWriter, BytesAreThoseOfTheFormat) {
  const Path path = TemporaryPath();
  GgufMetadata metadata;
  metadata.Set("k", std::vector<uint16_t>{7, 8});
  GgufWriter writer(path, metadata);
  writer.Describe("a", DType::kI8, {3});
  writer.Describe("b", DType::kF16, {1, 2});
  writer.Data(CountingBytes(3));
  writer.Data(CountingBytes(4));
  writer.Commit();

  FileBytes expected("GGUF");
  expected.Number<uint32_t>(3).Number<uint64_t>(2).Number<uint64_t>(1);
  expected.String("k").Number<uint32_t>(9).Number<uint32_t>(2).Number<uint64_t>(2);
  expected.Number<uint16_t>(7).Number<uint16_t>(8);
  expected.String("a").Number<uint32_t>(1).Number<uint64_t>(3);
  expected.Number<uint32_t>(24).Number<uint64_t>(0);
  expected.String("b").Number<uint32_t>(2).Number<uint64_t>(1).Number<uint64_t>(2);
  expected.Number<uint32_t>(1).Number<uint64_t>(32);
  expected.PadTo(32);
  expected.Text(std::string_view("\0\1\2", 3)).PadTo(32);
  expected.Text(std::string_view("\0\1\2\3", 4)).PadTo(32);
  EXPECT_EQ(ReadTextFile(path), expected.text());
  std::filesystem::remove(path);
}

TEST(GgufWriter, AlignmentOfAnotherFileIsNotTakenOver) {
  const Path path = TemporaryPath();
  GgufMetadata metadata;
  metadata.Set("general.alignment", uint32_t{4096});
  GgufWriter writer(path, metadata);
  writer.Describe("x", DType::kI8, {1});
  writer.Data(CountingBytes(1));
  writer.Commit();
  EXPECT_EQ(GgufFile(path).metadata().Integer("general.alignment"), 32u);
  std::filesystem::remove(path);
}

TEST(GgufWriter, NothingAppearsWithoutCommit) {
  const Path path = TemporaryPath();
  {
    GgufWriter writer(path, {});
    writer.Describe("x", DType::kI8, {2});
    EXPECT_THAT([&] { writer.Data(CountingBytes(3)); }, ThrowsMessage<Error>(HasSubstr("'x' given 3 bytes")));
    EXPECT_THAT([&] { writer.Commit(); }, ThrowsMessage<Error>(HasSubstr("'x' has no data")));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(GgufWriter, BadDescriptionsAreRefused) {
  GgufWriter writer(TemporaryPath(), {});
  writer.Describe("x", DType::kI8, {2});
  EXPECT_THAT([&] { writer.Describe("x", DType::kI8, {2}); },
              ThrowsMessage<Error>(HasSubstr("'x': described twice")));
  EXPECT_THAT([&] { writer.Describe("y", DType::kI8, {0, 2}); }, ThrowsMessage<Error>(HasSubstr("[0, 2]")));
  EXPECT_THROW(writer.Describe("y", DType::kI8, {}), Error);
  EXPECT_THAT([&] { writer.Describe("y", DType::kQ4_0, {33}); },
              ThrowsMessage<Error>(HasSubstr("whole blocks")));
  writer.Data(CountingBytes(2));
  EXPECT_THAT([&] { writer.Describe("y", DType::kI8, {1}); }, ThrowsMessage<Error>(HasSubstr("after data")));
  EXPECT_THROW(writer.Data(CountingBytes(1)), Error);
}

TEST(GgufWriter, FileWithoutTensorsReadsBack) {
  const Path path = TemporaryPath();
  GgufWriter writer(path, AllValueTypes());
  writer.Commit();
  EXPECT_TRUE(GgufFile(path).tensors().empty());
  std::filesystem::remove(path);
}

TEST(GgufMetadata, AnyIntegerThatFits) {
  const GgufMetadata metadata = AllValueTypes();
  EXPECT_EQ(metadata.Integer("u8"), 200u);
  EXPECT_EQ(metadata.Integer("u64"), uint64_t{1} << 63);
  EXPECT_EQ(metadata.SignedInteger("i8"), -100);
  EXPECT_EQ(metadata.SignedInteger("u32"), 4000000000);
  EXPECT_THAT([&] { metadata.Integer("i16"); }, ThrowsMessage<Error>(HasSubstr("'i16' is int16 -30000")));
  EXPECT_THROW(metadata.SignedInteger("u64"), Error);
  EXPECT_THROW(metadata.Integer("f32"), Error);
  EXPECT_THROW(metadata.Integer("bool"), Error);
}

TEST(GgufMetadata, FloatFromAnyNumber) {
  const GgufMetadata metadata = AllValueTypes();
  EXPECT_EQ(metadata.Float("f32"), 0.5);
  EXPECT_EQ(metadata.Float("f64"), 0.1);
  EXPECT_EQ(metadata.Float("i32"), -2e9);
  EXPECT_THROW(metadata.Float("bool"), Error);
  EXPECT_THROW(metadata.Float("floats"), Error);
}

TEST(GgufMetadata, ArraysOfExactlyOneType) {
  const GgufMetadata metadata = AllValueTypes();
  EXPECT_THAT(metadata.Array<std::string>("strings"), ElementsAre("a", "", "\u00e9t\u00e9"));
  EXPECT_THAT(metadata.Array<bool>("bools"), ElementsAre(true, false, true));
  EXPECT_TRUE(metadata.Array<uint64_t>("empty").empty());
  EXPECT_THAT([&] { metadata.Array<float>("integers"); },
              ThrowsMessage<Error>(EndsWith("'integers' is array of int32, needed is an array of float32")));
  EXPECT_THROW(metadata.Array<float>("f32"), Error);
}

TEST(GgufMetadata, DefaultsAreForMissingKeysOnly) {
  GgufMetadata metadata = AllValueTypes();
  metadata.origin = "model.gguf";
  EXPECT_EQ(metadata.IntegerOr("none", 5), 5u);
  EXPECT_EQ(metadata.IntegerOr("u8", 5), 200u);
  EXPECT_EQ(metadata.FloatOr("none", 0.5), 0.5);
  EXPECT_EQ(metadata.BoolOr("none", true), true);
  EXPECT_EQ(metadata.StringOr("none", "x"), "x");
  EXPECT_THAT([&] { metadata.StringOr("u8", "x"); },
              ThrowsMessage<Error>("model.gguf: key 'u8' is uint8 200, needed is a string"));
  EXPECT_THAT([&] { metadata.String("none"); }, ThrowsMessage<Error>("model.gguf: key 'none' is missing"));
}

TEST(GgufMetadata, SetReplacesInPlace) {
  GgufMetadata metadata;
  metadata.Set("a", uint32_t{1});
  metadata.Set("b", uint32_t{2});
  metadata.Set("a", std::string("new"));
  EXPECT_EQ(metadata.entries().size(), 2u);
  EXPECT_EQ(metadata.entries()[0].first, "a");
  EXPECT_EQ(metadata.String("a"), "new");
}

TEST(LooksLikeGguf, OnlyByItsMagic) {
  EXPECT_FALSE(LooksLikeGguf("/nonexistent"));
  EXPECT_FALSE(LooksLikeGguf(::testing::TempDir()));
  EXPECT_FALSE(LooksLikeGguf(test::GoldenPath("README.md")));
}

// Facts as llama.cpp and the Python package `gguf` print them for this file.
TEST(GgufFile, ReadsSmolLm2) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2-135M-Instruct");
  const GgufFile file(*path);
  EXPECT_EQ(file.tensors().size(), 272u);
  EXPECT_EQ(file.metadata().String("general.architecture"), "llama");
  EXPECT_EQ(file.metadata().Integer("llama.block_count"), 30u);
  EXPECT_EQ(file.metadata().Array<std::string>("tokenizer.ggml.tokens").size(), 49152u);
  EXPECT_THAT(file.Tensor("blk.29.ffn_up.weight").shape, ElementsAre(576, 1536));
  for (const GgufTensor& tensor : file.tensors()) {
    const size_t size =
        std::accumulate(tensor.shape.begin(), tensor.shape.end(), size_t{1}, std::multiplies<>());
    std::vector<float> values(size);
    Dequantize(tensor.type, tensor.bytes, values);
    ASSERT_TRUE(std::isfinite(std::accumulate(values.begin(), values.end(), 0.0f))) << tensor.name;
  }
}

}  // namespace
}  // namespace addend
