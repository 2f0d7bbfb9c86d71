// What the readers and writers of tensors share: sizes from untrusted shapes, and names and shapes in
// messages.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace addend {

// Bytes of a tensor whose rows have `row` values (the contiguous size). Throws Error when a product overflows
// or rows are not whole blocks of the type.
uint64_t TensorBytes(DType type, std::span<const uint64_t> shape, uint64_t row);

std::string ShapeText(std::span<const uint64_t> shape);  // "[576, 1536]"

// A name from a file, quoted for a message of one line: control characters replaced, long names cut.
std::string Quoted(std::string_view name);

}  // namespace addend
