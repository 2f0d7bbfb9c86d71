#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "formats/byte_reader.h"
#include "formats/tensor_shape.h"

namespace addend {
namespace {

constexpr uint64_t kLargestHeader = 100'000'000;   // as in the reference implementation
constexpr const char* kMetadata = "__metadata__";  // a header entry that is no tensor

struct TypeName {
  std::string_view name;
  DType type;
};
constexpr std::array<TypeName, 10> kTypeNames = {{{"F64", DType::kF64},
                                                  {"F32", DType::kF32},
                                                  {"F16", DType::kF16},
                                                  {"BF16", DType::kBF16},
                                                  {"I64", DType::kI64},
                                                  {"I32", DType::kI32},
                                                  {"I16", DType::kI16},
                                                  {"I8", DType::kI8},
                                                  {"U8", DType::kI8},
                                                  {"BOOL", DType::kI8}}};

// With sorted objects: Json finds a key by looking at all before it, which is quadratic for a hostile header.
using Header = nlohmann::json;

Header ParseHeader(std::string_view text) {
  try {
    return Header::parse(text);
  } catch (const Header::parse_error& error) {
    throw Error("not valid JSON: byte ", error.byte, " of ", text.size());
  } catch (const Header::exception&) {  // a number that no type holds
    throw Error("not valid JSON");
  }
}

// Number of keys of the outermost object of valid JSON: of two equal keys, the parser silently keeps one.
size_t CountKeys(std::string_view json) {
  size_t keys = 0, depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ':' && depth == 1) {
      ++keys;
    }
  }
  return keys;
}

const Header& Field(const Header& entry, const char* key) {
  if (!entry.is_object() || !entry.contains(key)) throw Error("'", key, "' is missing");
  return entry.at(key);
}

DType ReadType(const Header& entry) {
  const Header& field = Field(entry, "dtype");
  if (!field.is_string()) throw Error("'dtype' is not a string");
  const std::string& name = field.get_ref<const std::string&>();
  const auto found = std::ranges::find(kTypeNames, name, &TypeName::name);
  if (found == kTypeNames.end()) throw Error("dtype ", Quoted(name), " is not supported");
  return found->type;
}

std::vector<uint64_t> ReadIntegers(const Header& entry, const char* key) {
  const Header& field = Field(entry, key);
  if (!field.is_array() || !std::ranges::all_of(field, &Header::is_number_unsigned)) {
    throw Error("'", key, "' is not a list of whole numbers");
  }
  std::vector<uint64_t> integers;
  for (const Header& item : field) integers.push_back(item.get<uint64_t>());
  return integers;
}

SafetensorsTensor ReadTensor(const std::string& name, const Header& entry, std::span<const std::byte> data) {
  SafetensorsTensor tensor{name, ReadType(entry), ReadIntegers(entry, "shape"), {}};
  const std::vector<uint64_t> offsets = ReadIntegers(entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size()) {
    throw Error("data_offsets ", ShapeText(offsets), " are not inside the ", data.size(), " bytes of data");
  }
  tensor.bytes = data.subspan(offsets[0], offsets[1] - offsets[0]);
  const uint64_t needed = TensorBytes(tensor.type, tensor.shape, 1);
  if (tensor.bytes.size() != needed) {
    throw Error(Info(tensor.type).name, " ", ShapeText(tensor.shape), " needs ", needed,
                " bytes, data_offsets ", ShapeText(offsets), " give ", tensor.bytes.size());
  }
  return tensor;
}

void CheckCovers(const std::vector<SafetensorsTensor>& sorted, std::span<const std::byte> data) {
  const std::byte* end = data.data();
  for (const SafetensorsTensor& tensor : sorted) {
    if (tensor.bytes.data() != end) {
      throw Error("tensor ", Quoted(tensor.name), " starts at byte ", tensor.bytes.data() - data.data(),
                  " of the data, the tensors before it end at ", end - data.data());
    }
    end += tensor.bytes.size();
  }
  if (end != data.data() + data.size()) {
    throw Error(data.size(), " bytes of data, but the tensors end at ", end - data.data());
  }
}

std::vector<SafetensorsTensor> Parse(std::span<const std::byte> file) {
  ByteReader reader(file);
  const uint64_t header_size = reader.Read<uint64_t>();
  if (header_size > std::min(kLargestHeader, reader.left())) {
    throw Error("a header of ", header_size, " bytes, but ", reader.left(), " bytes follow and at most ",
                kLargestHeader, " are allowed");
  }
  const auto bytes = reader.Take(header_size);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Header header = WithContext("header", [&] { return ParseHeader(text); });
  if (!header.is_object()) throw Error("header: not a JSON object");
  if (CountKeys(text) != header.size()) {
    throw Error("header: ", CountKeys(text), " entries with only ", header.size(), " different names");
  }

  const auto data = reader.Take(reader.left());
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadata) continue;
    WithContext("tensor " + Quoted(name),
                [&, &n = name, &e = entry] { tensors.push_back(ReadTensor(n, e, data)); });
  }
  std::ranges::sort(tensors, {},
                    [](const SafetensorsTensor& t) { return std::tuple(t.bytes.data(), t.bytes.size()); });
  CheckCovers(tensors, data);
  return tensors;
}

// The shards of an index file, each once, and the names of all tensors.
struct Index {
  std::set<std::string> shards;
  std::set<std::string> tensors;
};

Index ReadIndex(const Path& path) {
  return WithContext(path.string(), [&] {
    const Header json = ParseHeader(ReadTextFile(path));
    Index index;
    const Header& map = Field(json, "weight_map");
    if (!map.is_object()) throw Error("'weight_map' is not an object");
    for (const auto& [tensor, shard] : map.items()) {
      if (!shard.is_string()) throw Error("tensor ", Quoted(tensor), ": its file is not a string");
      const std::string& name = shard.get_ref<const std::string&>();
      // Only files of this folder: an index from elsewhere must not make us open others.
      if (!name.ends_with(".safetensors") || Path(name).filename() != name) {
        throw Error("tensor ", Quoted(tensor), ": ", Quoted(name),
                    " is not the name of a .safetensors file of this folder");
      }
      index.shards.insert(name);
      index.tensors.insert(tensor);
    }
    return index;
  });
}

}  // namespace

std::vector<SafetensorsTensor> ParseSafetensors(std::span<const std::byte> file, const std::string& origin) {
  return WithContext(origin, [&] { return Parse(file); });
}

SafetensorsFolder::SafetensorsFolder(const Path& folder) : folder_(folder) {
  const Path single = folder / "model.safetensors", index_path = folder / "model.safetensors.index.json";
  if (std::filesystem::exists(single)) {
    AddFile(single);
    return;
  }
  if (!std::filesystem::exists(index_path)) {
    throw Error(folder.string(), ": neither model.safetensors nor model.safetensors.index.json is here");
  }
  const Index index = ReadIndex(index_path);
  for (const std::string& shard : index.shards) AddFile(folder / shard);
  for (const std::string& name : index.tensors) {
    if (Find(name) == nullptr) {
      throw Error(index_path.string(), ": tensor ", Quoted(name), " is in none of the ", index.shards.size(),
                  " files");
    }
  }
}

void SafetensorsFolder::AddFile(const Path& path) {
  const MappedFile& file = files_.emplace_back(path);
  for (SafetensorsTensor& tensor : ParseSafetensors(file.bytes(), path.string())) {
    if (!index_.emplace(tensor.name, tensors_.size()).second) {
      throw Error(path.string(), ": tensor ", Quoted(tensor.name), " was in a file before");
    }
    tensors_.push_back(std::move(tensor));
  }
}

const SafetensorsTensor* SafetensorsFolder::Find(std::string_view name) const {
  const auto place = index_.find(name);
  return place == index_.end() ? nullptr : &tensors_[place->second];
}

const SafetensorsTensor& SafetensorsFolder::Tensor(std::string_view name) const {
  const SafetensorsTensor* tensor = Find(name);
  if (tensor == nullptr) throw Error(folder_.string(), ": tensor ", Quoted(name), " is missing");
  return *tensor;
}

SafetensorsWriter::SafetensorsWriter(const Path& path) : origin_(path.string()), file_(path) {}

void SafetensorsWriter::Describe(std::string name, DType type, std::vector<uint64_t> shape) {
  WithContext(origin_ + ": tensor " + Quoted(name), [&] {
    if (std::ranges::find(kTypeNames, type, &TypeName::type) == kTypeNames.end()) {
      throw Error("type ", Info(type).name, " has no place in a safetensors file");
    }
    sequence_.Add(name, TensorBytes(type, shape, 1));
  });
  tensors_.push_back({std::move(name), type, std::move(shape), {}});
}

void SafetensorsWriter::WriteHeader() {
  Json header;
  header[kMetadata] = {{"format", "pt"}};  // transformers refuses files without it
  uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors_) {
    const uint64_t end = offset + TensorBytes(tensor.type, tensor.shape, 1);
    header.push_back({tensor.name,
                      {{"dtype", std::ranges::find(kTypeNames, tensor.type, &TypeName::type)->name},
                       {"shape", tensor.shape},
                       {"data_offsets", {offset, end}}}});
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const uint64_t size = text.size();
  file_.Write(std::as_bytes(std::span(&size, 1)));
  file_.Write(text);
}

void SafetensorsWriter::Data(std::span<const std::byte> bytes) {
  if (!sequence_.started()) WriteHeader();
  WithContext(origin_, [&] { sequence_.Take(bytes.size()); });
  file_.Write(bytes);
}

void SafetensorsWriter::Commit() {
  WithContext(origin_, [&] { sequence_.CheckComplete(); });
  if (!sequence_.started()) WriteHeader();  // no tensors at all
  file_.Commit();
}

}  // namespace addend
