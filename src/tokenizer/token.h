#pragma once
#include <cstdint>

namespace addend {

using TokenId = uint32_t;

}  // namespace addend
