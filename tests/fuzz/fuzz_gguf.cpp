// Any bytes give a parsed file or an Error; what was parsed can be read, decoded and asked for by key.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "formats/gguf.h"

namespace {

using namespace addend;

void UseTensor(const GgufTensor& tensor) {
  const DTypeInfo& info = Info(tensor.type);
  // A block at each end: sizes are the parser's claim, and a wrong one reads outside.
  std::vector<float> values(info.block_elements);
  for (const auto block : {tensor.bytes.first(info.block_bytes), tensor.bytes.last(info.block_bytes)}) {
    Dequantize(tensor.type, block, values);
  }
}

void UseKey(const GgufMetadata& metadata, const std::string& key) {
  if (metadata.Find(key) == nullptr) __builtin_trap();
  metadata.IntegerOr(key, 0);
}

template <typename Action>
void MayThrow(Action&& action) {
  try {
    action();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  MayThrow([&] {
    const GgufContents contents = ParseGguf(std::as_bytes(std::span(data, size)), "fuzz.gguf");
    for (const GgufTensor& tensor : contents.tensors) MayThrow([&] { UseTensor(tensor); });
    for (const auto& [key, value] : contents.metadata.entries())
      MayThrow([&] { UseKey(contents.metadata, key); });
  });
  return 0;
}
