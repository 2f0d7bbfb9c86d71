#include "compress/work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace addend {
namespace {

// Every name ends so, or so and as AtomicFile's temporary names end.
constexpr std::string_view kOurs = ".addend-work", kOursUnfinished = ".addend-work.partial-";
constexpr std::string_view kPart = ".part.addend-work", kScratch = ".scratch.addend-work";
constexpr std::string_view kLock = "lock.addend-work", kSettings = "settings.addend-work";

using Entries = std::vector<std::filesystem::directory_entry>;

// All that is in the folder; nothing when it is not there.
Entries EntriesOf(const Path& folder) {
  Entries entries;
  std::error_code failure;
  std::filesystem::directory_iterator entry(folder, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    entries.push_back(*entry);
  }
  if (failure && failure != std::errc::no_such_file_or_directory) {
    throw Error(folder.string(), ": cannot be the work folder: ", failure.message());
  }
  return entries;
}

std::string NameOf(const std::filesystem::directory_entry& entry) {
  return entry.path().filename().string();
}

bool IsOurs(const std::filesystem::directory_entry& entry) {
  const std::string name = NameOf(entry);
  std::error_code unknown;  // then it is not ours
  return std::filesystem::is_regular_file(entry.symlink_status(unknown)) &&
         (name.ends_with(kOurs) || name.find(kOursUnfinished) != std::string::npos);
}

int Lock(const Path& folder) {
  const Path path = folder / kLock;
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw Error(path.string(), ": cannot write: ", std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor);
    throw Error(folder.string(), ": another addend is at work in this work folder");
  }
  return descriptor;
}

std::string Advice(const Path& folder) {
  return "; give another --work-folder, or delete the folder " + folder.string() + " to begin anew";
}

Json ReadSettings(const Path& folder) {
  const Path file = folder / kSettings;
  try {
    Json settings = ParseJson(ReadTextFile(file), file.string());
    if (settings.is_object()) return settings;
  } catch (const Error& error) {
    throw Error(error.what(), Advice(folder));
  }
  throw Error(file.string(), ": damaged: does not hold settings", Advice(folder));
}

constexpr std::string_view kOtherVersion = "of another version of addend";

// The option of a setting, as it is typed.
std::string OptionName(const std::string& setting) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kOthers = {
      {{"statistics_sequences", "--calibration-sequences"},
       {"distill_seconds", "--distill-time"},
       {"seconds", "--time"}}};
  for (const auto& [other, name] : kOthers) {
    if (setting == other) return std::string(name);
  }
  std::string name = "--" + setting;
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string OptionText(const std::string& setting, const Json& value) {
  if (value.is_null()) return "without " + OptionName(setting);
  return "with " + OptionName(setting) + " " + (value.is_string() ? value.get<std::string>() : value.dump());
}

// How another job's setting differs, for a person.
std::string Difference(const std::string& setting, const Json& found, const Json& needed) {
  // Values that no person has typed.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kInWords = {
      {{"addend", kOtherVersion},
       {"model", "with another model"},
       {"start", "that goes on from another file"},
       {"calibration", "with another --calibration text"}}};
  for (const auto& [name, words] : kInWords) {
    if (setting == name) return std::string(words);
  }
  return OptionText(setting, found) + ", not " + OptionText(setting, needed);
}

void CheckSameSettings(const Path& folder, const Json& found, const Json& needed) {
  const auto refuse = [&](std::string_view difference) {
    throw Error(folder.string(), ": holds the unfinished work of a job ", difference, Advice(folder));
  };
  for (const auto& [setting, value] : needed.items()) {
    const Json other = found.value(setting, Json());
    if (other != value) refuse(Difference(setting, other, value));
  }
  if (found.size() != needed.size()) refuse(kOtherVersion);
}

}  // namespace

void WorkFolder::Check(const Path& path) {
  for (const auto& entry : EntriesOf(path)) {
    if (IsOurs(entry)) continue;
    throw Error(path.string(), ": cannot be the work folder, for it holds '", NameOf(entry),
                "'; name a new or an empty one with --work-folder");
  }
}

WorkFolder::WorkFolder(const Path& path, const Json& settings) : path_(path) {
  Check(path);
  std::error_code failure;
  std::filesystem::create_directory(path, failure);
  if (failure) throw Error(path.string(), ": cannot create the work folder: ", failure.message());
  lock_ = Lock(path);
  try {
    Open(settings);
  } catch (...) {
    close(lock_);
    throw;
  }
}

WorkFolder::~WorkFolder() {
  try {
    if (Finished().empty()) Delete();
  } catch (const Error&) {  // an empty work folder that stays does no harm
  }
  close(lock_);
}

void WorkFolder::Open(const Json& settings) {
  if (Finished().empty()) {
    WriteFileAtomically(path_ / kSettings, settings.dump(2) + "\n");
  } else {
    CheckSameSettings(path_, ReadSettings(path_), settings);
    DropDamaged();
  }
}

void WorkFolder::DropDamaged() {
  for (const std::string& name : Finished()) {
    try {
      Load(name);
    } catch (const Error&) {
      std::error_code ignored;  // then it is damaged still, and loading it tells so
      std::filesystem::remove(PathOf(name), ignored);
      damaged_.push_back(name);
    }
  }
}

// Names of parts.
std::vector<std::string> WorkFolder::Finished() const {
  std::vector<std::string> names;
  for (const auto& entry : EntriesOf(path_)) {
    const std::string name = NameOf(entry);
    if (name.ends_with(kPart)) names.push_back(name.substr(0, name.size() - kPart.size()));
  }
  std::ranges::sort(names);
  return names;
}

Path WorkFolder::PathOf(const std::string& name) const {
  return path_ / (name + std::string(kPart));
}

Path WorkFolder::Scratch(const std::string& name) const {
  return path_ / (name + std::string(kScratch));
}

bool WorkFolder::Has(const std::string& name) const {
  return std::filesystem::exists(PathOf(name));
}

Checkpoint WorkFolder::Load(const std::string& name) const {
  return Checkpoint::Load(PathOf(name));
}

void WorkFolder::Save(const std::string& name, const Checkpoint& checkpoint) const {
  checkpoint.Save(PathOf(name));
}

void WorkFolder::Delete() {
  if (std::exchange(deleted_, true)) return;  // there may be another job's folder by now
  std::error_code ignored;                    // what cannot be removed does no harm
  for (const auto& entry : EntriesOf(path_)) {
    if (IsOurs(entry) && NameOf(entry) != kLock) std::filesystem::remove(entry.path(), ignored);
  }
  std::filesystem::remove(path_ / kLock, ignored);  // the last: from here on others may begin in it
  rmdir(path_.c_str());                             // and not when anything is left
}

}  // namespace addend
