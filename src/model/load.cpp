#include <memory>
#include <utility>

#include "base/error.h"
#include "model/load_tensors.h"
#include "model/model.h"

namespace addend {

Model LoadModel(const Path& path) {
  if (!std::filesystem::exists(path)) throw Error(path.string(), ": there is no such file or folder");
  if (std::filesystem::is_directory(path)) return LoadHuggingFace(path);
  auto file = std::make_shared<const GgufFile>(path);
  const bool compressed = file->metadata().String("general.architecture") == "addend";
  return compressed ? LoadCompressed(std::move(file)) : LoadDenseGguf(std::move(file));
}

Model LoadCheckedModel(const Path& path) {
  Model model = LoadModel(path);
  CheckFinite(model);
  return model;
}

}  // namespace addend
