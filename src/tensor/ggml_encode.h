// The other direction of ggml_blocks.h: from floats to blocks, for the types with blocks of 32 values.
#pragma once
#include <span>

#include "tensor/dtype.h"
#include "tensor/ggml_blocks.h"

namespace addend::ggml {

// 32 finite values each. Throw Error when a scale is too large for fp16.
void Encode(std::span<const float> values, Rounding rounding, BlockQ4_0& block);
void Encode(std::span<const float> values, Rounding rounding, BlockQ4_1& block);
void Encode(std::span<const float> values, Rounding rounding, BlockQ5_0& block);
void Encode(std::span<const float> values, Rounding rounding, BlockQ5_1& block);
// The same for both ways of rounding: with 255 levels there is next to nothing to find.
void Encode(std::span<const float> values, Rounding rounding, BlockQ8_0& block);

}  // namespace addend::ggml
