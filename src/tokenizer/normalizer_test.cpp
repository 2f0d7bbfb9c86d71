#include "tokenizer/normalizer.h"

#include <gtest/gtest.h>

namespace addend {
namespace {

// Lines of NormalizationTest.txt of the Unicode character database: source; NFC; NFD; NFKC; NFKD.
struct Line {
  std::string source, nfc, nfd, nfkc, nfkd;
};

const std::vector<Line> kLines = {
    {"\u1E0A", "\u1E0A", "D\u0307", "\u1E0A", "D\u0307"},
    {"\u1E0A\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307"},
    {"D\u0307\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307"},
    {"\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307"},
    {"\uFB01", "\uFB01", "\uFB01", "fi", "fi"},
    {"\u00BD", "\u00BD", "\u00BD", "1\u20442", "1\u20442"},
    {"\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A"},
    {"\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C"},  // excluded from composition
    {"\uAC01", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8"},
    {"\u1100\uAC00\u11A8", "\u1100\uAC01", "\u1100\u1100\u1161\u11A8", "\u1100\uAC01",
     "\u1100\u1100\u1161\u11A8"},
    {"a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b", "a\u05AE\u0300\u0300\u0315b",
     "\u00E0\u05AE\u0300\u0315b", "a\u05AE\u0300\u0300\u0315b"},
    {"\u0340", "\u0300", "\u0300", "\u0300", "\u0300"},
};

TEST(NormalizeUnicode, AgreesWithTheUnicodeDatabase) {
  for (const Line& line : kLines) {
    EXPECT_EQ(NormalizeUnicode(line.source, UnicodeForm::kNfc), line.nfc) << line.source;
    EXPECT_EQ(NormalizeUnicode(line.source, UnicodeForm::kNfd), line.nfd) << line.source;
    EXPECT_EQ(NormalizeUnicode(line.source, UnicodeForm::kNfkc), line.nfkc) << line.source;
    EXPECT_EQ(NormalizeUnicode(line.source, UnicodeForm::kNfkd), line.nfkd) << line.source;
  }
}

TEST(NormalizeUnicode, KeepsUnassignedAndNull) {
  const std::string text("a\0\U0010FFFF\u0378", 8);
  EXPECT_EQ(NormalizeUnicode(text + "\u0301", UnicodeForm::kNfc), text + "\u0301");
}

}  // namespace
}  // namespace addend
