#include "cli/chat_input.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace addend {
namespace {

TEST(ParseChatInput, CommandsBeginWithASlash) {
  const auto expect = [](const char* line, const char* command, const char* text) {
    const ChatInput input = ParseChatInput(line);
    EXPECT_EQ(input.command, command) << line;
    EXPECT_EQ(input.text, text) << line;
  };
  expect("/help", "help", "");
  expect("/save  my chat.json ", "save", "my chat.json");
  expect("/system Be\nbrief.", "system", "Be\nbrief.");
  expect("/usr/bin is a folder", "usr/bin", "is a folder");
  expect("//usr/bin", "", "/usr/bin");
  expect("///", "", "//");
  expect("/", "", "/");
  expect("/ x", "", "/ x");
  expect(" /help", "", " /help");
  expect("Hello / there", "", "Hello / there");
  expect("", "", "");
}

TEST(TakeContinuation, OneBackslashAtTheEnd) {
  const auto expect = [](std::string line, bool goes_on, const char* left) {
    EXPECT_EQ(TakeContinuation(line), goes_on);
    EXPECT_EQ(line, left);
  };
  expect("a\\", true, "a");
  expect("\\", true, "");
  expect("a\\\\", false, "a\\\\");
  expect("a\\ ", false, "a\\ ");
  expect("", false, "");
}

TEST(ExpandHome, OnlyOnesOwnAndAtTheBeginning) {
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(ExpandHome("~/a"), "/home/me/a");
  EXPECT_EQ(ExpandHome("~you/a"), "~you/a");
  EXPECT_EQ(ExpandHome("a/~/b"), "a/~/b");
}

}  // namespace
}  // namespace addend
