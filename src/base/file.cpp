#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "base/error.h"

namespace addend {
namespace {

// Opens for reading and checks that it is a regular file; returns the descriptor and its size.
std::pair<int, size_t> OpenRegular(const Path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error(path.string(), ": cannot open: ", std::strerror(errno));
  struct stat info {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(descriptor);
    throw Error(path.string(), ": not a regular file");
  }
  return {descriptor, static_cast<size_t>(info.st_size)};
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
  const auto [descriptor, size] = OpenRegular(path);
  if (size > 0) {
    void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int reason = errno;
    close(descriptor);
    if (mapped == MAP_FAILED) throw Error(path.string(), ": cannot map: ", std::strerror(reason));
    data_ = static_cast<const std::byte*>(mapped);
    size_ = size;
  } else {
    close(descriptor);
  }
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
    : path_(path), temporary_(path.string() + ".partial-" + std::to_string(getpid())) {
  // Renaming over a device or a pipe would replace it.
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    throw Error(path.string(), ": cannot write: it is there and is not a regular file");
  }
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

std::string ReadTextFile(const Path& path) {
  if (path == "-") {
    std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    if (std::cin.bad()) throw Error("standard input: cannot read");
    return text;
  }
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
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
