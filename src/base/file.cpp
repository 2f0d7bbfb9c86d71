#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace addend {
namespace {

constexpr const char* kPartial = ".partial-";  // and the id of the process that writes

class FileForReading {
 public:
  explicit FileForReading(const Path& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw Error(path.string(), ": cannot open: ", std::strerror(errno));
  }
  ~FileForReading() { close(descriptor_); }
  FileForReading(const FileForReading&) = delete;
  FileForReading& operator=(const FileForReading&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// Up to the end. `name` is for errors.
std::string ReadAll(int descriptor, const std::string& name) {
  std::string text;
  char piece[1 << 16];
  while (true) {
    WaitForInput(descriptor);
    const ssize_t count = read(descriptor, piece, sizeof piece);
    if (count == 0) return text;
    if (count > 0) {
      text.append(piece, static_cast<size_t>(count));
    } else if (errno != EINTR) {
      throw Error(name, ": cannot read: ", std::strerror(errno));
    }
  }
}

// Was `name`, which begins with `prefix`, left behind by a process that is no more?
bool IsAbandoned(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  pid_t writer = 0;
  const char* const end = name.data() + name.size();
  const auto [parsed_to, error] = std::from_chars(name.data() + prefix.size(), end, writer);
  if (error != std::errc() || parsed_to != end || writer <= 0) return false;
  return kill(writer, 0) != 0 && errno == ESRCH;
}

// Removes what killed processes left of their attempts to write `path`.
void RemoveAbandoned(const Path& path) {
  const std::string prefix = path.filename().string() + kPartial;
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  std::error_code failure;  // what cannot be listed or removed does no harm
  for (std::filesystem::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (IsAbandoned(entry->path().filename().string(), prefix)) unlink(entry->path().c_str());
  }
}

void SyncDirectory(const Path& directory) {
  const int descriptor =
      open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // the rename itself succeeded; only its durability is less certain
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

MappedFile::MappedFile(const Path& path) : path_(path) {
  const FileForReading file(path);
  struct stat info {};
  if (fstat(file.descriptor(), &info) != 0 || !S_ISREG(info.st_mode)) {
    throw Error(path.string(), ": not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return;
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (mapped == MAP_FAILED) throw Error(path.string(), ": cannot map: ", std::strerror(errno));
  data_ = static_cast<const std::byte*>(mapped);
  size_ = size;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(const Path& path)
    : path_(path), temporary_(path.string() + kPartial + std::to_string(getpid())) {
  // Renaming over a device or a pipe would replace it.
  std::error_code unknown;  // why, open() tells
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    throw Error(path.string(), ": cannot write: it is there and is not a regular file");
  }
  RemoveAbandoned(path);
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw Error(path.string(), ": cannot write: ", std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
    unlink(temporary_.c_str());
  }
}

void AtomicFile::Write(std::span<const std::byte> bytes) {
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw Error(path_.string(), ": cannot write: ", std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::Write(std::string_view text) {
  Write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::Commit() {
  if (fsync(descriptor_) != 0) throw Error(path_.string(), ": cannot write: ", std::strerror(errno));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw Error(path_.string(), ": cannot replace: ", std::strerror(errno));
  }
  close(std::exchange(descriptor_, -1));
  SyncDirectory(path_.parent_path());
}

void WaitForInput(int descriptor) {
  // The wait has an end, because a signal that comes between the question and the wait would not end it.
  constexpr int kMilliseconds = 200;
  pollfd input{.fd = descriptor, .events = POLLIN, .revents = 0};
  do {
    ThrowIfInterrupted();
  } while (poll(&input, 1, kMilliseconds) <= 0);
}

std::string ReadTextFile(const Path& path) {
  if (path == "-") return ReadAll(STDIN_FILENO, "standard input");
  return ReadAll(FileForReading(path).descriptor(), path.string());
}

std::string ReadPlainText(const Path& path) {
  std::string text = ReadTextFile(path);
  size_t kept = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    text[kept++] = text[i] == '\r' ? '\n' : text[i];
  }
  text.resize(kept);
  return text;
}

void WriteFileAtomically(const Path& path, std::string_view content) {
  AtomicFile file(path);
  file.Write(content);
  file.Commit();
}

}  // namespace addend
