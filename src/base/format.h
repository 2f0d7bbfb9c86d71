// printf into a string.
#pragma once
#include <string>

namespace addend {

__attribute__((format(printf, 1, 2))) std::string Format(const char* format, ...);

}  // namespace addend
