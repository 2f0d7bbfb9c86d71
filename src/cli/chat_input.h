// What a line typed into a chat asks for.
#pragma once
#include <string>
#include <string_view>

namespace addend {

struct ChatInput {
  std::string command;  // without the slash; empty for a message
  std::string text;     // the message, or what stands behind the command, without white space around it
};

// "/save a.json" is a command; "//usr" is the message "/usr"; everything else is a message as it is.
ChatInput ParseChatInput(std::string_view line);

// A line that ends with a backslash, and not with two, goes on with the next one. Takes it away if so.
bool TakeContinuation(std::string& line);

// With "~/" at the beginning replaced by the home folder, as a shell does.
std::string ExpandHome(const std::string& path);

}  // namespace addend
