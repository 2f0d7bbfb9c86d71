// A cursor over the bytes of a file that may be damaged: every read first checks what is left.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace addend {

static_assert(std::endian::native == std::endian::little,
              "the formats are read by plain copies of little-endian values");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  // All throw Error, without the file's name: "10 bytes needed at byte 96, the file ends at 100".
  std::span<const std::byte> Take(uint64_t count) {
    if (count > left()) {
      throw Error(count, " bytes needed at byte ", position_, ", the file ends at ", bytes_.size());
    }
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  template <typename T>
  T Read() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    T value;
    std::memcpy(&value, Take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string ReadString() {  // uint64 length, bytes
    const auto bytes = Take(Read<uint64_t>());
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // A uint64 count of things of at least `smallest` bytes each, refused when so many cannot follow: before
  // anything is allocated for them.
  uint64_t ReadCount(uint64_t smallest) {
    const uint64_t count = Read<uint64_t>();
    CheckCount(count, smallest);
    return count;
  }
  void CheckCount(uint64_t count, uint64_t smallest) const {
    if (count > left() / smallest) {
      throw Error("a count of ", count, " at byte ", position_, ", but only ", left(), " bytes follow");
    }
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

}  // namespace addend
