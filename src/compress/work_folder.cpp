#include "compress/work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace addend {
namespace {

constexpr const char* kSettings = "settings.json";

int Lock(const Path& folder) {
  const Path path = folder / "lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw Error(path.string(), ": cannot write: ", std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor);
    throw Error(folder.string(), ": another addend is at work in this work folder");
  }
  return descriptor;
}

void CheckSameSettings(const Path& folder, const Json& found, const Json& needed) {
  const std::string advice = "; give those settings again, another --work-folder, or delete it";
  for (const auto& [key, value] : needed.items()) {
    const Json other = found.value(key, Json());
    if (other != value) {
      throw Error(folder.string(), ": this work folder belongs to a job with ", key, " = ", other.dump(),
                  ", not ", value.dump(), advice);
    }
  }
  if (found.size() != needed.size())
    throw Error(folder.string(), ": this work folder belongs to another version of addend", advice);
}

}  // namespace

WorkFolder::WorkFolder(const Path& path, const Json& settings) : path_(path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) throw Error(path.string(), ": cannot create the work folder: ", failure.message());
  lock_ = Lock(path);
  const Path file = path / kSettings;
  try {
    if (std::filesystem::exists(file)) {
      CheckSameSettings(path, ParseJson(ReadTextFile(file), file.string()), settings);
      resumed_ = true;
    } else {
      WriteFileAtomically(file, settings.dump(2) + "\n");
    }
  } catch (...) {
    close(lock_);
    throw;
  }
}

WorkFolder::~WorkFolder() {
  close(lock_);
}

bool WorkFolder::Has(const std::string& name) const {
  return std::filesystem::exists(path_ / name);
}

Checkpoint WorkFolder::Load(const std::string& name) const {
  return Checkpoint::Load(path_ / name);
}

void WorkFolder::Save(const std::string& name, const Checkpoint& checkpoint) const {
  checkpoint.Save(path_ / name);
}

void WorkFolder::Delete() {
  std::error_code ignored;  // what cannot be removed does no harm
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace addend
