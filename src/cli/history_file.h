// What was typed in earlier chats.
#pragma once
#include <string>
#include <vector>

#include "base/file.h"

namespace addend {

// $XDG_STATE_HOME/addend/chat_history, by default in ~/.local/state; empty when neither has a place.
Path DefaultHistoryPath();

// A JSON string on each line, so that an entry may have several; only its owner may read the file. Programs
// may add to one at the same time.
class HistoryFile {
 public:
  static constexpr size_t kMost = 1000;

  // Makes the file and its folder if needed, and shortens one that has grown to twice kMost entries.
  // Throws Error when it cannot be read and written.
  explicit HistoryFile(Path path);

  const std::vector<std::string>& entries() const { return entries_; }  // the latest kMost, oldest first
  void Add(const std::string& entry);                                   // throws Error

 private:
  Path path_;
  std::vector<std::string> entries_;
};

}  // namespace addend
