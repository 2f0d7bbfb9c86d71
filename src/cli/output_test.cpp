#include "cli/output.h"

#include <gtest/gtest.h>

namespace addend {
namespace {

TEST(OneLine, ControlCharactersBecomeSpaces) {
  EXPECT_EQ(OneLine("a\nb\tc\x7f\x1b[2J"), "a b c  [2J");
  EXPECT_EQ(OneLine("a\xc2\x9b\x32J"), "a 2J");  // CSI as one character, which terminals obey too
  EXPECT_EQ(OneLine("\xc2\xa0\xc3\x9b"), "\xc2\xa0\xc3\x9b");
  EXPECT_EQ(OneLine("cut \xc2"), "cut \xc2");
}

TEST(Visible, ControlCharactersBecomeSigns) {
  EXPECT_EQ(Visible("a\nb\tc"), "a\nb\tc");
  EXPECT_EQ(Visible("\x1b[2J\r\x7f"), "\u241b[2J\u240d\u2421");
  EXPECT_EQ(Visible("a\xc2\x9b\x32J"), "a\ufffd2J");
  EXPECT_EQ(Visible("\u00e9\u6f22 "), "\u00e9\u6f22 ");
}

TEST(Shortened, KeepsBothEnds) {
  EXPECT_EQ(Shortened("just as it is", 20), "just as it is");
  EXPECT_EQ(Shortened("model.gguf: key 'aaaaaaaaaaaaaaaaaaaaaaaa' is missing", 25),
            "model.gguf ... is missing");
}

TEST(Shortened, CutsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "\xe2\x82\xac";  // the sign of the euro
  const std::string shortened = Shortened(text, 25);
  EXPECT_EQ(shortened, text.substr(0, 9) + " ... " + text.substr(0, 9));
  EXPECT_LE(Shortened(text, 24).size(), 24u);
}

}  // namespace
}  // namespace addend
