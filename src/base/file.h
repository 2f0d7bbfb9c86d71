// Files: reading by memory map, writing so that a name either holds the whole new content or what it held
// before.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace addend {

using Path = std::filesystem::path;

// A read-only view of a whole regular file. Movable; the bytes stay where they are.
// Throws Error when the file cannot be opened, is not a regular file, or cannot be mapped. An empty file
// gives an empty span.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const Path& path() const { return path_; }

 private:
  Path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to a temporary name beside `path`; Commit() syncs and renames, so that `path` is never half-written.
// Without Commit the temporary file is removed; one that a killed process left is removed by the next that
// writes `path`. All functions throw Error with the reason (disk full, no permission, ...).
class AtomicFile {
 public:
  explicit AtomicFile(const Path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text);
  uint64_t bytes_written() const { return written_; }
  void Commit();

 private:
  Path path_;
  Path temporary_;
  int descriptor_ = -1;
  uint64_t written_ = 0;
};

// Until `descriptor` has something to read, or its end: a pipe or a terminal may have nothing for long.
// Throws Interrupted.
void WaitForInput(int descriptor);

std::string ReadTextFile(const Path& path);  // also a pipe or device; "-" reads standard input
// For texts that a model is measured or calibrated on: also turns the line ends CRLF and CR into LF, as
// Python's text mode does and so every published evaluation.
std::string ReadPlainText(const Path& path);
void WriteFileAtomically(const Path& path, std::string_view content);

}  // namespace addend
