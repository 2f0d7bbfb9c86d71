#include "cli/options.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "cli/output.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(ParseDuration, KnowsSecondsMinutesAndHours) {
  EXPECT_EQ(ParseDuration("-x", "90"), 90);
  EXPECT_EQ(ParseDuration("-x", "90s"), 90);
  EXPECT_EQ(ParseDuration("-x", "1.5m"), 90);
  EXPECT_EQ(ParseDuration("-x", "2h"), 7200);
  EXPECT_EQ(ParseDuration("-x", "0"), 0);
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text :
       {"", "s", "5x", "5 m", " 5m", "5m ", "-5m", "5mm", "1h30m", "nan", "inf", "1e99h"}) {
    EXPECT_THAT([&] { ParseDuration("--time", text); },
                ThrowsMessage<UsageError>("--time: '" + std::string(text) +
                                          "' is not a duration like 90, 90s, 5m or 2h"));
  }
}

TEST(ParseNumber, TakesTheWholeTextAsDecimal) {
  EXPECT_EQ(ParseNumber<size_t>("-n", "12", {0, 100}), 12u);
  EXPECT_EQ(ParseNumber<size_t>("-n", "010", {0, 100}), 10u);  // not octal
  EXPECT_EQ(ParseNumber<long>("-n", "-1", {-1, 100}), -1);
  EXPECT_EQ(ParseNumber<uint64_t>("-n", "18446744073709551615", {0, UINT64_MAX}), UINT64_MAX);
  EXPECT_EQ(ParseNumber<float>("-n", "0.25", {0, 1}), 0.25f);
  EXPECT_EQ(ParseNumber<double>("-n", "5e-1", {0, 1}), 0.5);
}

TEST(ParseNumber, RefusesWhatIsNoNumberOrOutOfRange) {
  for (const char* text : {"", "x", "1x", "1 ", " 1", "0x1", "-1", "101", "1.5", "99999999999999999999"}) {
    EXPECT_THROW(ParseNumber<size_t>("-n", text, {0, 100}), UsageError) << text;
  }
  for (const char* text : {"nan", "inf", "-0.1", "1.1", "1e999"}) {
    EXPECT_THROW(ParseNumber<double>("-n", text, {0, 1}), UsageError) << text;
  }
  EXPECT_THAT(
      [] {
        ParseNumber<size_t>("-n", "7", {1, 6});
      },
      ThrowsMessage<UsageError>("-n: '7' is not a whole number from 1 to 6"));
}

TEST(CheckOutput, RefusesTheSourceAndAMissingFolder) {
  const Path folder = Path(testing::TempDir()) / ("addend_check_output" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const Path source = folder / "a.gguf";
  WriteFileAtomically(source, "x");
  EXPECT_NO_THROW(CheckOutput(source, folder / "b.gguf"));
  EXPECT_THAT([&] { CheckOutput(source, folder / "." / "a.gguf"); },
              ThrowsMessage<Error>(HasSubstr("is the source itself")));
  EXPECT_THAT([&] { CheckOutput(source, folder / "none" / "b.gguf"); },
              ThrowsMessage<Error>(HasSubstr("there is no folder")));
  std::filesystem::remove_all(folder);
}

TEST(OneLine, HasNoControlCharacters) {
  EXPECT_EQ(OneLine("a\nb\r\x1b[2Jc\x7f"), "a b  [2Jc ");
  EXPECT_EQ(OneLine("näme"), "näme");
}

TEST(Format, HoldsLongText) {
  const std::string text(5000, 'x');
  EXPECT_EQ(Format("<%s>", text.c_str()), "<" + text + ">");
}

}  // namespace
}  // namespace addend
