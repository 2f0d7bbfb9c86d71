// One file of named arrays and facts: what a job must not lose. It is a GGUF file, so that any GGUF tool
// shows what is in it.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace addend {

struct Checkpoint {
  Json facts = Json::object();
  std::map<std::string, std::vector<float>> floats;
  std::map<std::string, std::vector<std::byte>> bytes;

  void Save(const Path& path) const;         // atomic; empty arrays are not stored
  static Checkpoint Load(const Path& path);  // throws Error when the file is damaged
  // The array of that name; Error naming it unless it is there with `size` elements.
  const std::vector<float>& Floats(const std::string& name, size_t size) const;
  const std::vector<std::byte>& Bytes(const std::string& name, size_t size) const;
};

}  // namespace addend
