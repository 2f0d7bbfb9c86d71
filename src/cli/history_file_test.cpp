#include "cli/history_file.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "support.h"

namespace addend {
namespace {

using testing::ElementsAre;

constexpr auto kOwner = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

TEST(HistoryFile, KeepsEntriesForTheOwner) {
  const test::TemporaryFolder folder;
  const Path path = folder / "state/addend/history";
  {
    HistoryFile first(path), second(path);
    EXPECT_TRUE(first.entries().empty());
    first.Add("one\ntwo");
    second.Add("漢字 \\ \"");
    first.Add("\xff");
  }
  EXPECT_THAT(HistoryFile(path).entries(), ElementsAre("one\ntwo", "漢字 \\ \"", "\uFFFD"));
  EXPECT_EQ(std::filesystem::status(path).permissions(), kOwner);
  EXPECT_EQ(std::filesystem::status(path.parent_path()).permissions(), std::filesystem::perms::owner_all);
}

TEST(HistoryFile, LeavesOutWhatIsNoEntry) {
  const test::TemporaryFolder folder;
  const Path path = folder / "history";
  std::ofstream(path) << "\"good\"\n\"cut\n[1]\nplain\n\n" << std::string(50'000, '[') << "\n\"end\"";
  std::filesystem::permissions(path, std::filesystem::perms::all);
  EXPECT_THAT(HistoryFile(path).entries(), ElementsAre("good", "end"));
  EXPECT_EQ(std::filesystem::status(path).permissions(), kOwner);
}

TEST(HistoryFile, DoesNotGrowForEver) {
  const test::TemporaryFolder folder;
  const Path path = folder / "history";
  const auto write = [&](size_t entries) {
    std::ofstream file(path);
    for (size_t i = 1; i <= entries; ++i) file << '"' << i << "\"\n";
  };
  write(2 * HistoryFile::kMost - 1);
  EXPECT_EQ(HistoryFile(path).entries().front(), "1000");
  EXPECT_THAT(ReadTextFile(path), testing::StartsWith("\"1\""));
  write(2 * HistoryFile::kMost);
  EXPECT_EQ(HistoryFile(path).entries().size(), HistoryFile::kMost);
  EXPECT_THAT(ReadTextFile(path), testing::StartsWith("\"1001\""));
  EXPECT_EQ(HistoryFile(path).entries().back(), "2000");
  EXPECT_EQ(std::filesystem::status(path).permissions(), kOwner);
}

TEST(HistoryFile, SaysWhyItCannotBe) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(HistoryFile(folder.path()), Error);  // a folder
  EXPECT_THROW(HistoryFile("/proc/none/history"), Error);
  EXPECT_THROW(HistoryFile("/dev/null"), Error);
}

TEST(DefaultHistoryPath, FollowsTheEnvironment) {
  setenv("HOME", "/home/me", 1);
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(DefaultHistoryPath(), "/state/addend/chat_history");
  setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_EQ(DefaultHistoryPath(), "/home/me/.local/state/addend/chat_history");
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  EXPECT_TRUE(DefaultHistoryPath().empty());
}

}  // namespace
}  // namespace addend
