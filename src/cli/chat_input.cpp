#include "cli/chat_input.h"

#include <algorithm>
#include <cstdlib>

#include "tokenizer/utf8.h"

namespace addend {

ChatInput ParseChatInput(std::string_view line) {
  if (line.starts_with("//")) return {.text = std::string(line.substr(1))};
  const size_t end = std::min(line.find_first_of(" \t\n"), line.size());
  if (!line.starts_with('/') || end == 1) return {.text = std::string(line)};
  return {.command = std::string(line.substr(1, end - 1)),
          .text = std::string(TrimWhiteSpace(line.substr(end), true, true))};
}

bool TakeContinuation(std::string& line) {
  if (!line.ends_with('\\') || line.ends_with("\\\\")) return false;
  line.pop_back();
  return true;
}

std::string ExpandHome(const std::string& path) {
  const char* const home = std::getenv("HOME");
  return path.starts_with("~/") && home != nullptr ? home + path.substr(1) : path;
}

}  // namespace addend
