#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <set>

#include "base/error.h"
#include "formats/byte_reader.h"
#include "formats/gguf_types.h"
#include "formats/tensor_shape.h"

namespace addend {
namespace {

struct Header {
  uint32_t version;
  uint64_t tensors, keys;
};

Header ReadHeader(ByteReader& reader) {
  constexpr uint64_t kSmallestKey = 8 + 4 + 1;  // length of the key, type, value
  constexpr uint64_t kSmallestTensor =
      8 + 4 + 8 + 4 + 8;  // length of the name, dimensions, a size, type, offset
  const auto magic = reader.Take(gguf::kMagic.size());
  if (!std::equal(magic.begin(), magic.end(), std::as_bytes(std::span(gguf::kMagic)).begin())) {
    throw Error("not a GGUF file: it does not start with '", gguf::kMagic, "'");
  }
  const uint32_t version = reader.Read<uint32_t>();
  if (version != 0 && (version & 0xffff) == 0) throw Error("a big-endian GGUF file; little-endian is needed");
  if (version != 2 && version != 3) throw Error("GGUF version ", version, ", versions 2 and 3 can be read");
  const uint64_t tensors = WithContext("tensors", [&] { return reader.ReadCount(kSmallestTensor); });
  const uint64_t keys = WithContext("keys", [&] { return reader.ReadCount(kSmallestKey); });
  return {version, tensors, keys};
}

template <typename T>
T ReadScalar(ByteReader& reader) {
  if constexpr (std::is_same_v<T, std::string>) {
    return reader.ReadString();
  } else if constexpr (std::is_same_v<T, bool>) {
    const uint8_t byte = reader.Read<uint8_t>();
    if (byte > 1) throw Error("a bool of ", +byte, ", 0 or 1 is needed");
    return byte == 1;
  } else {
    return reader.Read<T>();
  }
}

template <typename T>
std::vector<T> ReadElements(ByteReader& reader) {
  std::vector<T> elements(reader.ReadCount(gguf::kSmallest<T>));
  for (auto&& element : elements) element = ReadScalar<T>(reader);
  return elements;
}

// Both try the alternatives of their variant in turn for the one that has this number.
template <size_t alternative = 0>
GgufArray ReadArrayOf(uint32_t number, ByteReader& reader) {
  if constexpr (alternative == std::variant_size_v<GgufArray>) {
    throw Error("array elements of type ", number, ", which is an array or unknown");
  } else {
    using T = typename std::variant_alternative_t<alternative, GgufArray>::value_type;
    if (number == gguf::kNumber<T>) return ReadElements<T>(reader);
    return ReadArrayOf<alternative + 1>(number, reader);
  }
}

template <size_t alternative = 0>
GgufValue ReadValueOf(uint32_t number, ByteReader& reader) {
  if constexpr (alternative == std::variant_size_v<GgufValue>) {
    throw Error("value type ", number, " is unknown");
  } else {
    using T = std::variant_alternative_t<alternative, GgufValue>;
    if (number != gguf::kNumber<T>) return ReadValueOf<alternative + 1>(number, reader);
    if constexpr (std::is_same_v<T, GgufArray>) {
      return ReadArrayOf(reader.Read<uint32_t>(), reader);
    } else {
      return ReadScalar<T>(reader);
    }
  }
}

GgufMetadata ReadMetadata(ByteReader& reader, uint64_t count) {
  GgufMetadata metadata;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string key = WithContext("key " + std::to_string(i), [&] { return reader.ReadString(); });
    WithContext("key " + Quoted(key), [&] {
      if (metadata.Has(key)) throw Error("occurs twice");
      metadata.Set(key, ReadValueOf(reader.Read<uint32_t>(), reader));
    });
  }
  return metadata;
}

uint64_t Alignment(const GgufMetadata& metadata) {
  const uint64_t alignment = metadata.IntegerOr(gguf::kAlignmentKey, gguf::kDefaultAlignment);
  if (!std::has_single_bit(alignment) || alignment > UINT32_MAX) {
    throw Error("key '", gguf::kAlignmentKey, "' is ", alignment, ", needed is a power of two");
  }
  return alignment;
}

// A tensor description: its bytes are known when all are read, since the data follows the last one.
struct Description {
  GgufTensor tensor;
  uint64_t offset, bytes;
};

std::vector<uint64_t> ReadShape(ByteReader& reader) {
  const uint32_t dimensions = reader.Read<uint32_t>();
  if (dimensions < 1 || dimensions > 4) throw Error("has ", dimensions, " dimensions, 1 to 4 are needed");
  std::vector<uint64_t> shape(dimensions);
  for (uint64_t& size : shape) size = reader.Read<uint64_t>();
  if (std::ranges::count(shape, 0u) > 0) throw Error("shape ", ShapeText(shape), " has a zero");
  return shape;
}

DType ReadDType(ByteReader& reader) {
  const uint32_t type = reader.Read<uint32_t>();
  if (!IsKnownDType(type)) throw Error("type ", type, " is not supported");
  return static_cast<DType>(type);
}

// All but the name.
void ReadDescription(ByteReader& reader, uint64_t alignment, Description& description) {
  GgufTensor& tensor = description.tensor;
  tensor.shape = ReadShape(reader);
  tensor.type = ReadDType(reader);
  description.offset = reader.Read<uint64_t>();
  if (description.offset % alignment != 0) {
    throw Error("offset ", description.offset, " is not a multiple of ", alignment);
  }
  description.bytes = TensorBytes(tensor.type, tensor.shape, tensor.shape[0]);
}

std::vector<Description> ReadDescriptions(ByteReader& reader, uint64_t count, uint64_t alignment) {
  std::vector<Description> descriptions(count);
  std::set<std::string_view> names;
  for (uint64_t i = 0; i < count; ++i) {
    std::string& name = descriptions[i].tensor.name;
    name = WithContext("tensor " + std::to_string(i), [&] { return reader.ReadString(); });
    WithContext("tensor " + Quoted(name), [&] {
      if (!names.insert(name).second) throw Error("occurs twice");
      ReadDescription(reader, alignment, descriptions[i]);
    });
  }
  return descriptions;
}

std::vector<GgufTensor> Place(std::vector<Description> descriptions, std::span<const std::byte> data) {
  std::vector<GgufTensor> tensors;
  for (Description& d : descriptions) {
    if (d.offset > data.size() || d.bytes > data.size() - d.offset) {
      throw Error("tensor ", Quoted(d.tensor.name), ": ", d.bytes, " bytes at offset ", d.offset,
                  ", but there are only ", data.size(), " bytes of data");
    }
    d.tensor.bytes = data.subspan(d.offset, d.bytes);
    tensors.push_back(std::move(d.tensor));
  }
  return tensors;
}

GgufContents Parse(std::span<const std::byte> file) {
  GgufContents contents;
  ByteReader reader(file);
  const Header header = ReadHeader(reader);
  contents.version = header.version;
  contents.metadata = ReadMetadata(reader, header.keys);
  const uint64_t alignment = Alignment(contents.metadata);
  std::vector<Description> descriptions = ReadDescriptions(reader, header.tensors, alignment);
  // Without tensors the padding may be missing too.
  const uint64_t data_start = std::min<uint64_t>(gguf::RoundUp(reader.position(), alignment), file.size());
  contents.tensors = Place(std::move(descriptions), file.subspan(data_start));
  return contents;
}

}  // namespace

GgufContents ParseGguf(std::span<const std::byte> file, const std::string& origin) {
  GgufContents contents = WithContext(origin, [&] { return Parse(file); });
  contents.metadata.origin = origin;
  return contents;
}

GgufFile::GgufFile(const Path& path) : file_(path), contents_(ParseGguf(file_.bytes(), path.string())) {
  for (size_t i = 0; i < tensors().size(); ++i) index_.emplace(tensors()[i].name, i);
}

const GgufTensor* GgufFile::Find(std::string_view name) const {
  const auto place = index_.find(name);
  return place == index_.end() ? nullptr : &tensors()[place->second];
}

const GgufTensor& GgufFile::Tensor(std::string_view name) const {
  const GgufTensor* tensor = Find(name);
  if (tensor == nullptr) throw Error(path().string(), ": tensor ", Quoted(name), " is missing");
  return *tensor;
}

bool LooksLikeGguf(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(gguf::kMagic.size(), '\0');
  return file.read(start.data(), static_cast<std::streamsize>(start.size())) && start == gguf::kMagic;
}

}  // namespace addend
