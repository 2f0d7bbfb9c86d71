#pragma once

namespace addend {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace addend
