#include "cli/options.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "cli/output.h"
#include "support.h"

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
       {"", "s", "5x", "5 m", " 5m", "5m ", "-5m", "5mm", "1h30m", "nan", "inf", "1e99h", "1e9h", "1e8m"}) {
    EXPECT_THAT([&] { ParseDuration("--time", text); },
                ThrowsMessage<UsageError>("--time: '" + std::string(text) +
                                          "' is not a duration like 90, 90s, 5m or 2h"));
  }
}

TEST(ParseSize, KnowsPowersOfAThousand) {
  EXPECT_EQ(ParseSize("-x", "500000"), 500000);
  EXPECT_EQ(ParseSize("-x", "30MB"), 30e6);
  EXPECT_EQ(ParseSize("-x", "30M"), 30e6);
  EXPECT_EQ(ParseSize("-x", "800kB"), 800e3);
  EXPECT_EQ(ParseSize("-x", "1.5G"), 1.5e9);
  EXPECT_EQ(ParseSize("-x", "0.5GB"), 0.5e9);
  EXPECT_EQ(ParseSize("-x", "12B"), 12);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* text :
       {"", "B", "MB", "30 MB", "30mb", "-3M", "0", "nan", "inf", "1e99", "3MM", "3BB", "30MiB"}) {
    EXPECT_THAT([&] { ParseSize("--size", text); },
                ThrowsMessage<UsageError>("--size: '" + std::string(text) +
                                          "' is not a size like 500000, 800kB, 30MB or 1.2G"));
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

class CheckOutputTest : public testing::Test {
 protected:
  // Throws, and names the reason; and nothing in the folder has changed.
  void ExpectRefused(const Path& out, const std::string& reason) {
    const std::vector<std::string> before = Names();
    EXPECT_THAT([&] { CheckOutput({source_, model_}, out); }, ThrowsMessage<Error>(HasSubstr(reason)));
    EXPECT_EQ(Names(), before);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      names.push_back(entry.path().string());
    }
    std::ranges::sort(names);
    return names;
  }
  void SetUp() override {
    WriteFileAtomically(source_, "x");
    std::filesystem::create_directory(model_);
    WriteFileAtomically(model_ / "config.json", "x");
    WriteFileAtomically(folder_ / "blob", "x");
    std::filesystem::create_symlink(folder_ / "blob", model_ / "model.safetensors");
  }
  const test::TemporaryFolder folder_;
  const Path source_ = folder_ / "a.gguf", model_ = folder_ / "model";
};

TEST_F(CheckOutputTest, RefusesEveryInput) {
  ExpectRefused(source_, "is the source itself");
  ExpectRefused(folder_.path() / "." / "a.gguf", "is the source itself");
  ExpectRefused(model_, "is the source itself");
  ExpectRefused(model_ / "config.json", "is part of the source");
  ExpectRefused(model_ / "model.safetensors", "is part of the source");
  ExpectRefused(folder_ / "blob", "is part of the source");
}

TEST_F(CheckOutputTest, RefusesWhatCannotBeWritten) {
  ExpectRefused(folder_ / "none" / "b.gguf", "there is no folder");
  ExpectRefused(folder_.path(), "not a regular file");
  ExpectRefused("/dev/full", "not a regular file");
  ExpectRefused(folder_ / std::string(250, 'x'), "File name too long");
  ExpectRefused(folder_ / std::string(300, 'x'), "File name too long");
  ExpectRefused("/proc/b.gguf", "cannot write");
}

TEST_F(CheckOutputTest, LeavesNothingBehind) {
  const std::vector<std::string> before = Names();
  EXPECT_NO_THROW(CheckOutput({source_, model_}, folder_ / "b.gguf"));
  EXPECT_NO_THROW(CheckOutput({source_, model_}, model_ / "new.gguf"));
  EXPECT_NO_THROW(CheckOutputFolder({source_}, model_));
  EXPECT_EQ(Names(), before);
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
