#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "formats/safetensors.h"
#include "model/load_hugging_face_config.h"
#include "model/load_tensors.h"
#include "model/tensor_list.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

// The name of a tensor in a folder that holds only the text model, or nothing for one that the text model
// does not have: the rotary frequencies that old versions saved, and the parts of a Gemma 3 that see.
std::optional<std::string> TextModelName(std::string_view name, bool multimodal) {
  if (name.ends_with("rotary_emb.inv_freq")) return std::nullopt;
  if (!multimodal) return std::string(name);
  if (name.find("vision_tower.") != name.npos || name.find("multi_modal_projector.") != name.npos)
    return std::nullopt;
  constexpr std::string_view kOld = "language_model.",
                             kNew = "model.language_model.";  // before and since version 4.52
  if (name.starts_with(kNew)) return "model." + std::string(name.substr(kNew.size()));
  if (name.starts_with(kOld)) return std::string(name.substr(kOld.size()));
  return std::string(name);
}

TensorSource TextModelTensors(const SafetensorsFolder& files, const ModelConfig& config, bool multimodal) {
  TensorSource source(files.path().string());
  const std::string head = std::string(HuggingFaceNames(config).head) + ".weight";
  for (const SafetensorsTensor& tensor : files.tensors()) {
    std::optional<std::string> name = TextModelName(tensor.name, multimodal);
    if (!name || (config.tied_head && *name == head)) continue;  // some files repeat the embedding
    source.Add(*std::move(name), {tensor.type, tensor.shape, tensor.bytes});
  }
  return source;
}

}  // namespace

Model LoadHuggingFace(const Path& folder) {
  const Path config_path = folder / "config.json";
  if (!std::filesystem::exists(config_path)) {
    throw Error(folder.string(), ": no config.json: neither a Hugging Face folder nor a GGUF file");
  }
  const Json json = ParseJson(ReadTextFile(config_path), config_path.string());
  HuggingFaceConfig config = ParseHuggingFaceConfig(json, config_path.string());
  const bool multimodal = JsonField<std::string>(json, "model_type", config_path.string()) == "gemma3";
  config.model.name = std::filesystem::weakly_canonical(folder).filename().string();

  auto files = std::make_shared<const SafetensorsFolder>(folder);
  TensorSource source = TextModelTensors(*files, config.model, multimodal);
  Model model = EmptyModel(std::move(config.model));
  VisitTensors(model, HuggingFaceNames(model.config),
               DenseReader(model.config, source, config.biases, config.norm_offset));
  source.RefuseUntaken();

  if (std::filesystem::exists(folder / "tokenizer.json")) model.metadata = LoadTokenizer(folder).ToGguf();
  model.metadata.origin = folder.string();
  model.storage = {std::move(files)};
  return model;
}

}  // namespace addend
