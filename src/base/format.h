// Texts from values.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace addend {

// printf into a string.
__attribute__((format(printf, 1, 2))) std::string Format(const char* format, ...);

// "a, b, c". text_of(part), or a member of the part, is its text.
template <typename Parts, typename TextOf = std::identity>
std::string Joined(const Parts& parts, const TextOf& text_of = {}, std::string_view separator = ", ") {
  std::string joined;
  for (const auto& part : parts) {
    if (!joined.empty()) joined += separator;
    joined += std::invoke(text_of, part);
  }
  return joined;
}

}  // namespace addend
