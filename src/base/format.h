// Texts from values.
#pragma once
#include <functional>
#include <string>

namespace addend {

// printf into a string.
__attribute__((format(printf, 1, 2))) std::string Format(const char* format, ...);

// "a, b, c". text_of(part), or a member of the part, is its text.
template <typename Parts, typename TextOf = std::identity>
std::string Joined(const Parts& parts, const TextOf& text_of = {}) {
  std::string joined;
  for (const auto& part : parts) {
    if (!joined.empty()) joined += ", ";
    joined += std::invoke(text_of, part);
  }
  return joined;
}

}  // namespace addend
