// For tests: files put together field by field, so that each field can lie.
#pragma once
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace addend {

class FileBytes {
 public:
  FileBytes() = default;
  explicit FileBytes(std::string_view text) : bytes_(text) {}

  template <typename T>
  FileBytes& Number(std::type_identity_t<T> value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  FileBytes& Text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  FileBytes& String(std::string_view text) { return Number<uint64_t>(text.size()).Text(text); }
  FileBytes& PadTo(size_t alignment) {
    while (bytes_.size() % alignment != 0) bytes_ += '\0';
    return *this;
  }
  std::string& text() { return bytes_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_)); }

 private:
  std::string bytes_;
};

// Reads every byte, so that a sanitizer sees those that do not belong to the file.
inline void TouchAll(std::span<const std::byte> bytes) {
  for (const volatile std::byte& byte : bytes) static_cast<void>(std::byte{byte});
}

// Damages a good file in every simple way: cut after each byte, each bit flipped, each byte zeroed and
// filled. Each damaged file has memory of exactly its size, so that a sanitizer sees a read past its end.
template <typename Check>
void ForEachDamage(std::span<const std::byte> good, Check&& check) {
  for (size_t size = 0; size < good.size(); ++size) {
    const std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    check(std::span<const std::byte>(cut));
  }
  std::vector<std::byte> damaged(good.begin(), good.end());
  const auto try_byte = [&](size_t i, std::byte value) {
    damaged[i] = value;
    check(std::span<const std::byte>(damaged));
    damaged[i] = good[i];
  };
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) try_byte(i, good[i] ^ static_cast<std::byte>(1 << bit));
    try_byte(i, std::byte{0});
    try_byte(i, std::byte{0xff});
  }
}

}  // namespace addend
