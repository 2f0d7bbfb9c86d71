#include <algorithm>
#include <utility>

#include "base/error.h"
#include "formats/gguf_types.h"
#include "formats/tensor_shape.h"

namespace addend {
namespace {

template <typename T>
void AppendNumber(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendString(std::string& out, std::string_view text) {
  AppendNumber<uint64_t>(out, text.size());
  out += text;
}

template <typename T>
void AppendScalar(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    AppendString(out, value);
  } else {
    AppendNumber(out, value);
  }
}

template <typename T>
void AppendValue(std::string& out, const T& value) {
  AppendScalar(out, value);
}

void AppendValue(std::string& out, const GgufArray& array) {
  std::visit(
      [&]<typename T>(const std::vector<T>& elements) {
        AppendNumber(out, gguf::kNumber<T>);
        AppendNumber<uint64_t>(out, elements.size());
        for (const T& element : elements) AppendScalar<T>(out, element);
      },
      array);
}

void AppendPair(std::string& out, const std::string& key, const GgufValue& value) {
  AppendString(out, key);
  std::visit(
      [&]<typename T>(const T& held) {
        AppendNumber(out, gguf::kNumber<T>);
        AppendValue(out, held);
      },
      value);
}

void AppendPadding(std::string& out) {
  out.resize(gguf::RoundUp(out.size(), gguf::kDefaultAlignment), '\0');
}

}  // namespace

std::string Serialised(const GgufMetadata& metadata, std::string_view left_out) {
  std::string out;
  for (const auto& [key, value] : metadata.entries()) {
    if (key != left_out) AppendPair(out, key, value);
  }
  return out;
}

GgufWriter::GgufWriter(const Path& path, GgufMetadata metadata)
    : origin_(path.string()), file_(path), metadata_(std::move(metadata)) {
  // A value taken over from another file would describe that one.
  if (metadata_.Has(gguf::kAlignmentKey)) {
    metadata_.Set(gguf::kAlignmentKey, static_cast<uint32_t>(gguf::kDefaultAlignment));
  }
}

void GgufWriter::Describe(std::string name, DType type, std::vector<uint64_t> shape) {
  WithContext(origin_ + ": tensor " + Quoted(name), [&] {
    if (shape.empty() || shape.size() > 4 || std::ranges::count(shape, 0u) > 0) {
      throw Error("shape ", ShapeText(shape), ", 1 to 4 sizes of at least 1 are needed");
    }
    sequence_.Add(name, TensorBytes(type, shape, shape[0]));
  });
  tensors_.push_back({std::move(name), type, std::move(shape), {}});
}

void GgufWriter::WriteHeader() {
  std::string out(gguf::kMagic);
  AppendNumber<uint32_t>(out, 3);
  AppendNumber<uint64_t>(out, tensors_.size());
  AppendNumber<uint64_t>(out, metadata_.entries().size());
  out += Serialised(metadata_);
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors_) {
    AppendString(out, tensor.name);
    AppendNumber<uint32_t>(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t size : tensor.shape) AppendNumber(out, size);
    AppendNumber(out, static_cast<uint32_t>(tensor.type));
    AppendNumber(out, offset);
    offset = gguf::RoundUp(offset + TensorBytes(tensor.type, tensor.shape, tensor.shape[0]),
                           gguf::kDefaultAlignment);
  }
  AppendPadding(out);
  file_.Write(out);
}

void GgufWriter::Data(std::span<const std::byte> bytes) {
  if (!sequence_.started()) WriteHeader();
  WithContext(origin_, [&] { sequence_.Take(bytes.size()); });
  file_.Write(bytes);
  file_.Write(std::string(gguf::RoundUp(bytes.size(), gguf::kDefaultAlignment) - bytes.size(), '\0'));
}

void GgufWriter::Commit() {
  WithContext(origin_, [&] { sequence_.CheckComplete(); });
  if (!sequence_.started()) WriteHeader();  // no tensors at all
  file_.Commit();
}

}  // namespace addend
