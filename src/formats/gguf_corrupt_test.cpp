// Damaged and hostile GGUF files: each must give one clear line, before anything is allocated for what it
// claims.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/file_bytes.h"
#include "formats/gguf.h"

namespace addend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr uint64_t kHuge = ~uint64_t{0} - 31;  // a multiple of 32 just below 2^64

FileBytes Header(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return FileBytes("GGUF").Number<uint32_t>(version).Number<uint64_t>(tensors).Number<uint64_t>(keys);
}

// One F32 matrix {4, 2} named "w" with `data_bytes` bytes of data.
struct OneTensor {
  std::string name = "w";
  std::vector<uint64_t> shape = {4, 2};
  uint32_t type = 0;
  uint64_t offset = 0;

  void AppendTo(FileBytes& file) const {
    file.String(name).Number<uint32_t>(static_cast<uint32_t>(shape.size()));
    for (const uint64_t size : shape) file.Number<uint64_t>(size);
    file.Number<uint32_t>(type).Number<uint64_t>(offset);
  }
};

FileBytes FileWith(const std::vector<OneTensor>& tensors, size_t data_bytes = 32) {
  FileBytes file = Header(tensors.size(), 0);
  for (const OneTensor& tensor : tensors) tensor.AppendTo(file);
  return file.PadTo(32).Text(std::string(data_bytes, 'x'));
}

FileBytes FileWithKey(uint32_t type, const FileBytes& value) {
  FileBytes file = Header(0, 1).String("key").Number<uint32_t>(type);
  return file.Text({reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size()});
}

// The message, or "" when the file is accepted.
std::string ErrorOf(std::span<const std::byte> bytes) {
  try {
    const GgufContents contents = ParseGguf(bytes, "m.gguf");
    for (const GgufTensor& tensor : contents.tensors) {
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

TEST(GgufCorrupt, TheFileThatTheOthersDamageIsGood) {
  EXPECT_EQ(ErrorOf(FileWith({OneTensor{}})), "");
  EXPECT_EQ(ErrorOf(FileWithKey(4, FileBytes().Number<uint32_t>(1))), "");
}

TEST(GgufCorrupt, Header) {
  EXPECT_THAT(ErrorOf(FileBytes("")), StartsWith("m.gguf: 4 bytes needed at byte 0"));
  EXPECT_THAT(ErrorOf(FileBytes("GGML\3\0\0\0")), HasSubstr("not a GGUF file"));
  EXPECT_THAT(ErrorOf(FileBytes("GGUF\3")), HasSubstr("the file ends at 5"));
  EXPECT_THAT(ErrorOf(Header(0, 0, 1)), HasSubstr("GGUF version 1"));
  EXPECT_THAT(ErrorOf(Header(0, 0, 4)), HasSubstr("GGUF version 4"));
  EXPECT_THAT(ErrorOf(Header(0, 0, 3u << 24)), HasSubstr("big-endian"));
}

TEST(GgufCorrupt, CountsBeyondTheFile) {
  EXPECT_THAT(ErrorOf(Header(1, 0)), HasSubstr("tensors: a count of 1"));
  EXPECT_THAT(ErrorOf(Header(kHuge, 0)), HasSubstr("tensors: a count of 18446744073709551584"));
  EXPECT_THAT(ErrorOf(Header(0, kHuge)), HasSubstr("keys: a count of"));
}

TEST(GgufCorrupt, Strings) {
  const FileBytes key_too_long = Header(0, 1).Number<uint64_t>(kHuge).Text("abcdefgh");
  EXPECT_THAT(ErrorOf(key_too_long), HasSubstr("key 0: 18446744073709551584 bytes needed"));
  EXPECT_THAT(ErrorOf(FileWithKey(8, FileBytes().Number<uint64_t>(9).Text("abcdefgh"))),
              HasSubstr("key 'key': 9 bytes needed"));
}

TEST(GgufCorrupt, NamesInMessagesStayOnOneLine) {
  FileBytes file = Header(0, 1).String("bad\nkey\x1b[31m").Number<uint32_t>(99).Number<uint64_t>(0);
  EXPECT_EQ(ErrorOf(file), "m.gguf: key 'bad?key?[31m': value type 99 is unknown");
}

TEST(GgufCorrupt, Values) {
  EXPECT_THAT(ErrorOf(FileWithKey(13, FileBytes().Number<uint64_t>(0))), HasSubstr("'key': value type 13"));
  EXPECT_THAT(ErrorOf(FileWithKey(7, FileBytes().Number<uint8_t>(2))), HasSubstr("bool of 2"));
  EXPECT_THAT(ErrorOf(FileWithKey(10, FileBytes().Number<uint32_t>(0))), HasSubstr("8 bytes needed"));
}

TEST(GgufCorrupt, Arrays) {
  const auto array = [](uint32_t type, uint64_t count) {
    return FileWithKey(9, FileBytes().Number<uint32_t>(type).Number<uint64_t>(count).Text("12345678"));
  };
  EXPECT_EQ(ErrorOf(array(4, 2)), "");
  EXPECT_THAT(ErrorOf(array(4, 3)), HasSubstr("a count of 3"));
  EXPECT_THAT(ErrorOf(array(4, uint64_t{1} << 62)), HasSubstr("a count of"));  // times 4 bytes: 0 modulo 2^64
  EXPECT_THAT(ErrorOf(array(8, 2)), HasSubstr("a count of 2"));
  EXPECT_THAT(ErrorOf(array(9, 1)), HasSubstr("elements of type 9"));
  EXPECT_THAT(ErrorOf(array(77, 1)), HasSubstr("elements of type 77"));
}

TEST(GgufCorrupt, DuplicateKeys) {
  FileBytes file = Header(0, 2);
  for (int i = 0; i < 2; ++i) file.String("twice").Number<uint32_t>(0).Number<uint8_t>(1);
  EXPECT_THAT(ErrorOf(file), HasSubstr("key 'twice': occurs twice"));
}

TEST(GgufCorrupt, Alignment) {
  const auto with_alignment = [](uint32_t alignment) {
    return Header(0, 1).String("general.alignment").Number<uint32_t>(4).Number<uint32_t>(alignment);
  };
  EXPECT_EQ(ErrorOf(with_alignment(64)), "");
  EXPECT_THAT(ErrorOf(with_alignment(0)), HasSubstr("power of two"));
  EXPECT_THAT(ErrorOf(with_alignment(48)), HasSubstr("'general.alignment' is 48"));
  FileBytes text = Header(0, 1).String("general.alignment").Number<uint32_t>(8).String("32");
  EXPECT_THAT(ErrorOf(text), HasSubstr("'general.alignment' is string"));
  FileBytes huge =
      Header(0, 1).String("general.alignment").Number<uint32_t>(10).Number<uint64_t>(uint64_t{1} << 63);
  EXPECT_THAT(ErrorOf(huge), HasSubstr("power of two"));
}

TEST(GgufCorrupt, AlignmentOfTheFileIsUsed) {
  FileBytes file = Header(1, 1).String("general.alignment").Number<uint32_t>(4).Number<uint32_t>(128);
  OneTensor{.name = std::string(40, 'w'), .offset = 128}.AppendTo(
      file);  // ends past 128: the data starts at 256
  file.PadTo(128).Text(std::string(128, '-')).Text(std::string(32, 'x'));
  const GgufContents contents = ParseGguf(file.bytes(), "m.gguf");
  EXPECT_EQ(contents.tensors[0].bytes.size(), 32u);
  EXPECT_EQ(contents.tensors[0].bytes[0], std::byte{'x'});
}

TEST(GgufCorrupt, Shapes) {
  const auto shape = [](std::vector<uint64_t> sizes) {
    return ErrorOf(FileWith({{.shape = std::move(sizes)}}));
  };
  EXPECT_THAT(shape({}), HasSubstr("tensor 'w': has 0 dimensions"));
  EXPECT_THAT(shape({1, 1, 1, 1, 1}), HasSubstr("has 5 dimensions"));
  EXPECT_THAT(shape({4, 0}), HasSubstr("[4, 0] has a zero"));
  EXPECT_THAT(shape({uint64_t{1} << 32, uint64_t{1} << 32}), HasSubstr("overflows"));
  EXPECT_THAT(shape({uint64_t{1} << 62}), HasSubstr("overflows"));  // fits, but not times 4 bytes
  EXPECT_THAT(shape({uint64_t{1} << 40}), HasSubstr("only 32 bytes of data"));
}

TEST(GgufCorrupt, Types) {
  EXPECT_THAT(ErrorOf(FileWith({{.type = 4}})), HasSubstr("'w': type 4 is not supported"));
  EXPECT_THAT(ErrorOf(FileWith({{.type = ~0u}})), HasSubstr("type 4294967295"));
  // Two rows of 16 values make 32, but no row of Q8_0.
  EXPECT_THAT(ErrorOf(FileWith({{.shape = {16, 2}, .type = 8}}, 64)), HasSubstr("not whole blocks of q8_0"));
}

TEST(GgufCorrupt, Offsets) {
  EXPECT_THAT(ErrorOf(FileWith({OneTensor{}}, 31)),
              HasSubstr("'w': 32 bytes at offset 0, but there are only 31"));
  EXPECT_THAT(ErrorOf(FileWith({{.offset = 32}})), HasSubstr("at offset 32"));
  EXPECT_THAT(ErrorOf(FileWith({{.offset = kHuge}})), HasSubstr("at offset 18446744073709551584"));
  EXPECT_THAT(ErrorOf(FileWith({{.offset = 1}})), HasSubstr("offset 1 is not a multiple of 32"));
}

TEST(GgufCorrupt, DuplicateTensors) {
  EXPECT_THAT(ErrorOf(FileWith({OneTensor{}, OneTensor{}})), HasSubstr("tensor 'w': occurs twice"));
}

TEST(GgufCorrupt, OverlapIsNoDamage) {
  EXPECT_EQ(ErrorOf(FileWith({{.name = "a"}, {.name = "b"}})), "");
}

TEST(GgufCorrupt, EveryCutAndEveryChangedByte) {
  FileBytes file = Header(2, 3);
  file.String("name").Number<uint32_t>(8).String("value");
  file.String("list").Number<uint32_t>(9).Number<uint32_t>(8).Number<uint64_t>(2).String("ab").String("");
  file.String("flag").Number<uint32_t>(7).Number<uint8_t>(1);
  OneTensor{.name = "a"}.AppendTo(file);
  OneTensor{.name = "b", .shape = {32}, .type = 8, .offset = 32}.AppendTo(file);
  file.PadTo(32).Text(std::string(66, 'x'));
  ASSERT_EQ(ErrorOf(file), "");

  const size_t size = file.bytes().size();
  ForEachDamage(file.bytes(), [&](std::span<const std::byte> damaged) {
    const std::string error = ErrorOf(damaged);
    ASSERT_TRUE(error.empty() || error.starts_with("m.gguf: ")) << error;
    ASSERT_THAT(error, Not(HasSubstr("\n")));
    ASSERT_FALSE(error.empty() && damaged.size() < size) << "cut after " << damaged.size();
  });
}

}  // namespace
}  // namespace addend
