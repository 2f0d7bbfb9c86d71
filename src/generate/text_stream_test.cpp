#include "generate/text_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace addend {
namespace {

using testing::ElementsAre;

// What comes out after each piece, and at the end.
std::vector<std::string> Streamed(const std::vector<std::string>& stops,
                                  const std::vector<std::string>& pieces) {
  TextStream stream(stops);
  std::vector<std::string> out;
  for (const std::string& piece : pieces) out.push_back(stream.Push(piece));
  out.push_back(stream.Finish());
  return out;
}

TEST(TextStream, PassesTextThrough) {
  EXPECT_THAT(Streamed({}, {"Hello", "", " world"}), ElementsAre("Hello", "", " world", ""));
}

TEST(TextStream, HoldsBackWhatMayBecomeAStopString) {
  EXPECT_THAT(Streamed({"STOP"}, {"a ST", "ILL ", "S", "T", "OP b", "c"}),
              ElementsAre("a ", "STILL ", "", "", "", "", ""));
  EXPECT_THAT(Streamed({"STOP"}, {"ends with ST"}), ElementsAre("ends with ", "ST"));
}

TEST(TextStream, TheFirstStopStringEndsTheText) {
  TextStream stream({"two", "one"});
  EXPECT_EQ(stream.Push("zero one two"), "zero ");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.Push("three"), "");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(TextStream, AStopStringMayBeginInsideAFailedOne) {
  // "aab" begins at the second a of "aaab".
  EXPECT_THAT(Streamed({"aab"}, {"a", "a", "a", "b"}), ElementsAre("", "", "a", "", ""));
  EXPECT_THAT(Streamed({"\n\nUser"}, {"x\n", "\n", "\nUser"}), ElementsAre("x", "", "\n", ""));
}

TEST(TextStream, NeverSplitsACharacter) {
  // U+20AC is e2 82 ac, U+1F600 is f0 9f 98 80.
  EXPECT_THAT(Streamed({}, {"x\xe2", "\x82", "\xac", "\xf0\x9f\x98", "\x80y"}),
              ElementsAre("x", "", "\xe2\x82\xac", "", "\xf0\x9f\x98\x80y", ""));
}

TEST(TextStream, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  EXPECT_THAT(Streamed({}, {"a\xff", "b\xe2\x82", "c"}), ElementsAre("a\xef\xbf\xbd", "b",
                                                                     "\xef\xbf\xbd"
                                                                     "c",
                                                                     ""));
  EXPECT_THAT(Streamed({}, {"cut \xf0\x9f"}), ElementsAre("cut ", "\xef\xbf\xbd"));
  EXPECT_THAT(Streamed({}, {"\x80\x80\x80\x80"}).front(), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(TextStream, StopStringsMayHoldMultibyteCharacters) {
  EXPECT_THAT(Streamed({"\xe2\x82\xac!"}, {"5 \xe2\x82", "\xac", "?", "\xe2\x82\xac", "!"}),
              ElementsAre("5 ", "", "\xe2\x82\xac?", "", "", ""));
}

TEST(TextStream, RefusesAnEmptyStopString) {
  EXPECT_THROW(TextStream({"a", ""}), Error);
}

}  // namespace
}  // namespace addend
