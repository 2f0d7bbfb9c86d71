#include "formats/tensor_shape.h"

#include "base/error.h"

namespace addend {

uint64_t TensorBytes(DType type, std::span<const uint64_t> shape, uint64_t row) {
  const DTypeInfo& info = Info(type);
  if (row % info.block_elements != 0) {
    throw Error("shape ", ShapeText(shape), ": rows are not whole blocks of ", info.name, ", which have ",
                info.block_elements, " values");
  }
  uint64_t elements = 1;
  for (const uint64_t size : shape) {
    if (__builtin_mul_overflow(elements, size, &elements))
      throw Error("shape ", ShapeText(shape), " overflows");
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / info.block_elements, info.block_bytes, &bytes)) {
    throw Error("shape ", ShapeText(shape), " of ", info.name, " overflows");
  }
  return bytes;
}

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (const uint64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

std::string Quoted(std::string_view name) {
  constexpr size_t kLongest = 80;
  std::string text = "'";
  for (const char c : name.substr(0, kLongest))
    text += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  return text + (name.size() > kLongest ? "...'" : "'");
}

}  // namespace addend
