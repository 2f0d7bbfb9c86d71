#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/file_bytes.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

FileBytes File(std::string_view header, size_t data_bytes = 0) {
  return FileBytes().String(header).Text(std::string(data_bytes, 'x'));
}

// The message, or "" when the file is accepted.
std::string ErrorOf(std::span<const std::byte> bytes) {
  try {
    for (const SafetensorsTensor& tensor : ParseSafetensors(bytes, "m.safetensors")) {
      TouchAll(tensor.bytes);
    }
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}
std::string ErrorOf(const FileBytes& file) {
  return ErrorOf(file.bytes());
}

// A folder that goes away with the test.
class SafetensorsFolderTest : public ::testing::Test {
 protected:
  SafetensorsFolderTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~SafetensorsFolderTest() override { std::filesystem::remove_all(folder_); }

  void WriteIndex(std::string_view weight_map) {
    WriteFileAtomically(folder_ / "model.safetensors.index.json",
                        R"({"metadata": {"total_size": 8}, "weight_map": )" + std::string(weight_map) + "}");
  }
  void WriteShard(const std::string& file, const std::string& tensor) {
    SafetensorsWriter writer(folder_ / file);
    writer.Describe(tensor, DType::kF32, {1});
    writer.Data(std::as_bytes(std::span("abc")));
    writer.Commit();
  }
  auto Opening() {
    return [this] { SafetensorsFolder unused(folder_); };
  }

  const Path folder_ =
      Path(::testing::TempDir()) /
      (std::string("addend_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST(Safetensors, ParsesTypesShapesAndData) {
  const FileBytes file = File(
      R"({"__metadata__": {"format": "pt", "a:b": "}{\""}, "second": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [2, 6]},
          "first": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
          "one": {"dtype": "I16", "shape": [], "data_offsets": [6, 8]},
          "none": {"dtype": "F64", "shape": [3, 0], "data_offsets": [6, 6]}}   )",
      8);
  const std::vector<SafetensorsTensor> tensors = ParseSafetensors(file.bytes(), "m.safetensors");
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].name, "first");
  EXPECT_EQ(tensors[0].type, DType::kI8);
  EXPECT_EQ(tensors[1].name, "second");
  EXPECT_EQ(tensors[1].type, DType::kBF16);
  EXPECT_THAT(tensors[1].shape, ElementsAre(1, 2));
  EXPECT_EQ(tensors[1].bytes.data(), tensors[0].bytes.data() + 2);
  EXPECT_EQ(tensors[2].name, "none");
  EXPECT_TRUE(tensors[2].bytes.empty());
  EXPECT_TRUE(tensors[3].shape.empty());
  EXPECT_EQ(tensors[3].bytes.size(), 2u);
}

TEST(SafetensorsCorrupt, Header) {
  EXPECT_THAT(ErrorOf(FileBytes("abc")), StartsWith("m.safetensors: 8 bytes needed at byte 0"));
  EXPECT_THAT(ErrorOf(FileBytes().Number<uint64_t>(3).Text("{}")),
              HasSubstr("a header of 3 bytes, but 2 bytes follow"));
  EXPECT_THAT(ErrorOf(FileBytes().Number<uint64_t>(~uint64_t{0}).Text("{}")),
              HasSubstr("a header of 18446744073709551615"));
  EXPECT_THAT(ErrorOf(File("")), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(ErrorOf(File("{\"a\":")), HasSubstr("header: not valid JSON: byte 6 of 5"));
  EXPECT_THAT(ErrorOf(File("{\"a\": 1e999}")), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(ErrorOf(File("{\"\xff\": 1}")), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(ErrorOf(File("[]")), HasSubstr("not a JSON object"));
  EXPECT_EQ(ErrorOf(File("{}")), "");
}

// Neither the parser nor our messages may recurse into what a file nests.
TEST(SafetensorsCorrupt, DeepNesting) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_THAT(ErrorOf(File("{\"w\": " + deep + "}")), HasSubstr("'w': 'dtype' is missing"));
  EXPECT_THAT(ErrorOf(File(R"({"w": {"dtype": )" + deep + "}}")), HasSubstr("'dtype' is not a string"));
}

TEST(SafetensorsCorrupt, Entries) {
  const auto entry = [](std::string_view text) {
    return ErrorOf(File("{\"w\": " + std::string(text) + "}", 8));
  };
  EXPECT_EQ(entry(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})"), "");
  EXPECT_THAT(entry("7"), HasSubstr("tensor 'w': 'dtype' is missing"));
  EXPECT_THAT(entry(R"({"dtype": 1})"), HasSubstr("'dtype' is not a string"));
  EXPECT_THAT(entry(R"({"dtype": "F8_E4M3"})"), HasSubstr("dtype 'F8_E4M3' is not supported"));
  EXPECT_THAT(entry(R"({"dtype": "F32"})"), HasSubstr("'shape' is missing"));
  for (const char* shape : {"null", "{}", "2", "[-1]", "[2.0]", "[\"2\"]", "[18446744073709551616]"}) {
    EXPECT_THAT(entry(R"({"dtype": "F32", "shape": )" + std::string(shape) + "}"),
                HasSubstr("'shape' is not a list"));
  }
  EXPECT_THAT(entry(R"({"dtype": "F32", "shape": [2]})"), HasSubstr("'data_offsets' is missing"));
  EXPECT_THAT(entry(R"({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]})"),
              HasSubstr("f32 [3] needs 12 bytes, data_offsets [0, 8] give 8"));
  EXPECT_THAT(entry(R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 8]})"), HasSubstr("needs 4 bytes"));
  EXPECT_THAT(entry(R"({"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 8]})"),
              HasSubstr("overflows"));
  EXPECT_THAT(entry(R"({"dtype": "F32", "shape": [4611686018427387904], "data_offsets": [0, 0]})"),
              HasSubstr("overflows"));
}

TEST(SafetensorsCorrupt, Offsets) {
  const auto offsets = [](std::string_view text) {
    return ErrorOf(
        File(R"({"w": {"dtype": "I8", "shape": [8], "data_offsets": )" + std::string(text) + "}}", 8));
  };
  EXPECT_EQ(offsets("[0, 8]"), "");
  for (const char* bad :
       {"[0]", "[0, 8, 8]", "[8, 0]", "[0, 9]", "[1, 9]", "[18446744073709551608, 18446744073709551615]"}) {
    EXPECT_THAT(offsets(bad), HasSubstr("are not inside the 8 bytes of data")) << bad;
  }
}

TEST(SafetensorsCorrupt, DataIsCoveredOnce) {
  const auto two = [](std::string_view second_offsets) {
    return ErrorOf(File(R"({"a": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]},
                            "b": {"dtype": "I8", "shape": [4], "data_offsets": )" +
                            std::string(second_offsets) + "}}",
                        9));
  };
  EXPECT_THAT(two("[5, 9]"), HasSubstr("'b' starts at byte 5 of the data, the tensors before it end at 4"));
  EXPECT_THAT(two("[3, 7]"), HasSubstr("'b' starts at byte 3"));
  EXPECT_THAT(two("[4, 8]"), HasSubstr("9 bytes of data, but the tensors end at 8"));
}

TEST(SafetensorsCorrupt, NamesOccurOnce) {
  const std::string entry = R"({"dtype": "I8", "shape": [0], "data_offsets": [0, 0]})";
  EXPECT_THAT(ErrorOf(File("{\"a\": " + entry + ", \"a\": " + entry + "}")),
              HasSubstr("2 entries with only 1 different names"));
  EXPECT_THAT(ErrorOf(File("{\"a\": " + entry + ", \"\\u0061\": " + entry + "}")), HasSubstr("2 entries"));
  EXPECT_EQ(ErrorOf(File(R"({"a:\"}": )" + entry + R"(, "a:\\": )" + entry + "}")), "");
}

TEST(SafetensorsCorrupt, EveryCutAndEveryChangedByte) {
  const FileBytes file = File(
      R"({"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}})",
      9);
  ASSERT_EQ(ErrorOf(file), "");
  const size_t size = file.bytes().size();
  ForEachDamage(file.bytes(), [&](std::span<const std::byte> damaged) {
    const std::string error = ErrorOf(damaged);
    ASSERT_TRUE(error.empty() || error.starts_with("m.safetensors: ")) << error;
    ASSERT_THAT(error, Not(HasSubstr("\n")));
    ASSERT_FALSE(error.empty() && damaged.size() < size) << "cut after " << damaged.size();
  });
}

// Written by the Python package `safetensors`.
TEST(SafetensorsFolder, ReadsAModelOfTransformers) {
  const SafetensorsFolder folder(test::GoldenPath("tiny_models/llama"));
  const SafetensorsTensor& tensor = folder.Tensor("model.embed_tokens.weight");
  EXPECT_EQ(tensor.type, DType::kF32);
  EXPECT_EQ(tensor.shape.size(), 2u);
  EXPECT_EQ(folder.Find("model.embed_tokens"), nullptr);
  EXPECT_THAT([&] { folder.Tensor("x"); }, ThrowsMessage<Error>(HasSubstr("tensor 'x' is missing")));
}

TEST_F(SafetensorsFolderTest, WrittenFileReadsBack) {
  SafetensorsWriter writer(folder_ / "model.safetensors");
  writer.Describe("b", DType::kF16, {2, 1});
  writer.Describe("a", DType::kI8, {3});
  writer.Data(std::as_bytes(std::span("abc")));  // with the final zero
  writer.Data(std::as_bytes(std::span("de")));
  writer.Commit();
  const SafetensorsFolder folder(folder_);
  ASSERT_EQ(folder.tensors().size(), 2u);
  EXPECT_THAT(folder.Tensor("b").shape, ElementsAre(2, 1));
  EXPECT_EQ(folder.Tensor("b").type, DType::kF16);
  EXPECT_THAT(folder.Tensor("a").bytes, ElementsAreArray(std::as_bytes(std::span("de"))));
}

// The Python package `safetensors` 0.8.0 reads this file.
TEST_F(SafetensorsFolderTest, BytesAreThoseOfTheFormat) {
  WriteShard("model.safetensors", "w");
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   )";
  ASSERT_EQ(header.size() % 8, 0u);
  EXPECT_EQ(ReadTextFile(folder_ / "model.safetensors"),
            FileBytes().String(header).Text(std::string_view("abc", 4)).text());
}

TEST_F(SafetensorsFolderTest, WriterRefusesWhatDoesNotFit) {
  SafetensorsWriter writer(folder_ / "model.safetensors");
  writer.Describe("w", DType::kF32, {1});
  EXPECT_THAT([&] { writer.Describe("w", DType::kF32, {1}); },
              ThrowsMessage<Error>(HasSubstr("'w': described twice")));
  EXPECT_THAT([&] { writer.Describe("q", DType::kQ8_0, {32}); },
              ThrowsMessage<Error>(HasSubstr("q8_0 has no place")));
  EXPECT_THAT([&] { writer.Commit(); }, ThrowsMessage<Error>(HasSubstr("'w' has no data")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model.safetensors"));
}

TEST_F(SafetensorsFolderTest, ShardsAreReadTogether) {
  WriteShard("model-00001-of-00002.safetensors", "a");
  WriteShard("model-00002-of-00002.safetensors", "b");
  WriteIndex(R"({"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"})");
  const SafetensorsFolder folder(folder_);
  EXPECT_EQ(folder.tensors().size(), 2u);
  EXPECT_EQ(folder.Tensor("a").bytes.size(), 4u);
  EXPECT_EQ(folder.Tensor("b").bytes[2], std::byte{'c'});
}

TEST_F(SafetensorsFolderTest, WhatAnIndexMayNotSay) {
  WriteShard("1.safetensors", "a");
  WriteShard("2.safetensors", "a");
  WriteIndex(R"({"a": "1.safetensors", "b": "missing.safetensors"})");
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("missing.safetensors: cannot open")));
  WriteIndex(R"({"a": "1.safetensors", "b": "1.safetensors"})");
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("index.json: tensor 'b' is in none of the 1 files")));
  WriteIndex(R"({"a": "1.safetensors", "b": "2.safetensors"})");
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("2.safetensors: tensor 'a' was in a file before")));
  WriteIndex(R"({"a": 1})");
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("its file is not a string")));
  WriteIndex("[]");
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("'weight_map' is not an object")));
}

TEST_F(SafetensorsFolderTest, AnIndexCannotLeaveTheFolder) {
  for (const char* shard :
       {"../1.safetensors", "/etc/1.safetensors", "sub/1.safetensors", "passwd", "..", ""}) {
    WriteIndex(R"({"a": ")" + std::string(shard) + R"("})");
    EXPECT_THAT(Opening(),
                ThrowsMessage<Error>(HasSubstr("is not the name of a .safetensors file of this folder")))
        << shard;
  }
}

TEST_F(SafetensorsFolderTest, FolderWithoutWeights) {
  EXPECT_THAT(Opening(), ThrowsMessage<Error>(HasSubstr("neither model.safetensors nor")));
}

}  // namespace
}  // namespace addend
