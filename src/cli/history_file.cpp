#include "cli/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/json.h"

namespace addend {
namespace {

constexpr mode_t kOwnerOnly = 0600;

std::string Line(const std::string& entry) {
  return Json(entry).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Lines that are no entries are left out: a full disk cuts one off.
std::vector<std::string> ReadEntries(const Path& path) {
  const std::string text = ReadTextFile(path);
  std::vector<std::string> entries;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const Json entry = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                   text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (entry.is_string()) entries.push_back(entry.get<std::string>());
    begin = end + 1;
  }
  return entries;
}

// At the end, in one piece.
void Append(const Path& path, const std::string& text) {
  // Some people link their histories to /dev/null, whose permissions are everybody's.
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    throw Error(path.string(), ": cannot write the history: not a regular file");
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kOwnerOnly);
  const bool done = descriptor >= 0 && fchmod(descriptor, kOwnerOnly) == 0 &&
                    write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int reason = errno;
  if (descriptor >= 0) close(descriptor);
  if (!done) throw Error(path.string(), ": cannot write the history: ", std::strerror(reason));
}

}  // namespace

Path DefaultHistoryPath() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  Path folder;
  if (state != nullptr && Path(state).is_absolute()) {  // others are to be ignored, says the specification
    folder = state;
  } else if (home != nullptr && Path(home).is_absolute()) {
    folder = Path(home) / ".local/state";
  } else {
    return {};
  }
  return folder / "addend" / "chat_history";
}

HistoryFile::HistoryFile(Path path) : path_(std::move(path)) {
  std::error_code failure;  // which opening the file then tells
  if (std::filesystem::create_directories(path_.parent_path(), failure))
    std::filesystem::permissions(path_.parent_path(), std::filesystem::perms::owner_all, failure);
  Append(path_, "");
  entries_ = ReadEntries(path_);
  if (entries_.size() <= kMost) return;
  const bool long_file = entries_.size() >= 2 * kMost;
  entries_.erase(entries_.begin(), entries_.end() - kMost);
  if (!long_file) return;
  std::string text;
  for (const std::string& entry : entries_) text += Line(entry);
  const Path shortened = path_.string() + ".new";
  std::filesystem::remove(shortened, failure);
  Append(shortened, text);
  std::filesystem::rename(shortened, path_, failure);
}

void HistoryFile::Add(const std::string& entry) {
  Append(path_, Line(entry));
}

}  // namespace addend
