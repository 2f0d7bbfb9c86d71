#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

#include "tokenizer/byte_alphabet.h"

namespace addend {
namespace {

TEST(Utf8, EveryCodePointSurvives) {
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    const std::string text = Utf8(code_point);
    size_t at = 0;
    ASSERT_EQ(NextCodePoint(text, at), code_point);
    ASSERT_EQ(at, text.size());
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    ASSERT_EQ(IsValidUtf8(text), !is_surrogate) << std::hex << static_cast<uint32_t>(code_point);
  }
}

// The examples of the Unicode standard 15.0, tables 3-8 to 3-11.
TEST(Utf8, MaximalPartsAreReplacedOnce) {
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(ReplaceInvalidUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41\uFFFD\uFFFD\x42");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF0\x9F\x99"), "\uFFFD");
  EXPECT_EQ(ReplaceInvalidUtf8("h\u00e9"), "h\u00e9");
}

TEST(Utf8, WhiteSpaceIsTrimmedAtTheChosenEnds) {
  EXPECT_EQ(TrimWhiteSpace("\u3000\t a b\u00a0\n", true, true), "a b");
  EXPECT_EQ(TrimWhiteSpace(" a ", true, false), "a ");
  EXPECT_EQ(TrimWhiteSpace(" a ", false, true), " a");
  EXPECT_EQ(TrimWhiteSpace(" \u2003 ", true, true), "");
  EXPECT_EQ(TrimWhiteSpace("\u200b\u180e", true, true), "\u200b\u180e");  // not White_Space
}

TEST(ByteAlphabet, SpellsEveryByteWithOneCharacter) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string text = SpellBytes(bytes);
  EXPECT_TRUE(IsValidUtf8(text));
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++characters) NextCodePoint(text, at);
  EXPECT_EQ(characters, 256u);
  EXPECT_EQ(UnspellBytes(text), bytes);
  EXPECT_EQ(SpellBytes(" a\n\xFF"), "\u0120a\u010a\u00ff");  // as in any vocabulary of GPT-2's kind
  EXPECT_EQ(UnspellBytes("a b"), std::nullopt);              // a space stands for no byte
  EXPECT_EQ(UnspellBytes("\u4e16"), std::nullopt);
}

}  // namespace
}  // namespace addend
