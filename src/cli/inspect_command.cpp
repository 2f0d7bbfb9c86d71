// `addend inspect FILE`
#include <algorithm>
#include <limits>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "compress/recipe.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

struct Arguments {
  Path model;
  bool layers = false, json = false;
};

size_t RankOf(const Linear& linear) {
  const auto* factored = std::get_if<FactoredWeight>(&linear.weight);
  return factored != nullptr ? factored->rank() : 0;
}

std::string TypeOf(const Linear& linear) {
  const auto* stored = std::get_if<StoredMatrix>(&linear.weight);
  return stored != nullptr ? std::string(Info(stored->type()).name) : "factored";
}

// The linears of one kind in all blocks.
struct Group {
  std::string name, type;  // "mixed" where types differ
  size_t outputs = 0, inputs = 0, count = 0;
  size_t least_rank = std::numeric_limits<size_t>::max(), most_rank = 0;  // 0: dense
  double weights = 0, bits = 0;

  void Add(const Linear& linear) {
    type = count == 0 || type == TypeOf(linear) ? TypeOf(linear) : "mixed";
    outputs = linear.outputs();
    inputs = linear.inputs();
    least_rank = std::min(least_rank, RankOf(linear));
    most_rank = std::max(most_rank, RankOf(linear));
    weights += static_cast<double>(linear.size());
    bits += linear.Bits();
    ++count;
  }
};

std::vector<Group> GroupsOf(const Model& model) {
  std::vector<Group> groups;
  for (const LinearKind kind : kLinearKinds) {
    Group& group = groups.emplace_back();
    group.name = Name(kind);
    for (const Block& block : model.blocks) group.Add(block[kind]);
  }
  return groups;
}

Json ToJson(const ModelConfig& config) {
  return {{"blocks", config.blocks},         {"hidden", config.hidden},
          {"heads", config.heads},           {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},     {"feed_forward", config.feed_forward},
          {"vocabulary", config.vocabulary}, {"context", config.context},
          {"tied_head", config.tied_head},   {"sliding_window", config.sliding_window},
          {"rope_theta", config.rope_theta}, {"rope_scaling", Name(config.rope_scaling.kind)}};
}

// Of the embedding or the head.
Json ToJson(const Linear& linear) {
  return {{"type", TypeOf(linear)},
          {"rows", linear.outputs()},
          {"columns", linear.inputs()},
          {"rank", RankOf(linear)},
          {"bits_per_weight", linear.Bits() / static_cast<double>(linear.size())}};
}

Json ToJson(const Group& group) {
  return {{"name", group.name},           {"type", group.type},
          {"count", group.count},         {"outputs", group.outputs},
          {"inputs", group.inputs},       {"least_rank", group.least_rank},
          {"most_rank", group.most_rank}, {"bits_per_weight", group.bits / group.weights}};
}

Json SizesOf(const Model& model, const Path& path) {
  const SizeReport size = CountBits(model);
  const double bytes = std::filesystem::is_regular_file(path)
                           ? static_cast<double>(std::filesystem::file_size(path))
                           : size.total_bits / 8;
  return {{"bytes", bytes},
          {"weights", size.total_weights},
          {"linear_weights", size.linear_weights},
          {"linear_bits_per_weight", size.linear_bits / static_cast<double>(size.linear_weights)},
          {"file_bits_per_weight", 8 * bytes / static_cast<double>(size.total_weights)}};
}

// A model can be looked at without its tokenizer, so its absence is told, not thrown.
Json TokenizerOf(const Path& path) {
  try {
    const Tokenizer tokenizer = LoadTokenizer(path);
    const std::optional<TokenId> bos = tokenizer.bos();
    Json ends = Json::array();
    for (const TokenId id : tokenizer.end_tokens()) ends.push_back(id);
    return {{"tokens", tokenizer.vocabulary_size()},
            {"bos", bos ? Json(*bos) : Json()},
            {"end_tokens", ends},
            {"chat_template", !tokenizer.chat_template().empty()}};
  } catch (const Error& error) {
    return {{"problem", error.what()}};
  }
}

// One row for each linear: what it is, and the errors that the recipe has of it.
Json LayersOf(const Model& model, const Json& recipe) {
  Json layers = Json::array();
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      const std::string name = LinearName(b, kind);
      Json& layer =
          layers.emplace_back(Json{{"name", name},
                                   {"type", TypeOf(linear)},
                                   {"outputs", linear.outputs()},
                                   {"inputs", linear.inputs()},
                                   {"rank", RankOf(linear)},
                                   {"bits_per_weight", linear.Bits() / static_cast<double>(linear.size())}});
      const Json errors = ErrorsOf(recipe, name);
      for (const char* key : {"weighted_error", "output_error"}) {
        if (errors.contains(key)) layer[key] = errors[key];
      }
    }
  }
  return layers;
}

Json Inspect(const Arguments& arguments) {
  const Model model = LoadModel(arguments.model);
  Json recipe = RecipeOf(model);
  Json result = {{"file", arguments.model.string()},
                 {"name", model.config.name},
                 {"architecture", Name(model.config.architecture)},
                 {"config", ToJson(model.config)},
                 {"size", SizesOf(model, arguments.model)},
                 {"linears", Json::array()},
                 {"embedding", ToJson(model.embedding)},
                 {"head", model.head ? ToJson(*model.head) : Json()},  // null: tied to the embedding
                 {"tokenizer", TokenizerOf(arguments.model)}};
  for (const Group& group : GroupsOf(model)) result["linears"].push_back(ToJson(group));
  if (arguments.layers) result["layers"] = LayersOf(model, recipe);
  recipe.erase(kRecipeLinears);
  result["recipe"] = std::move(recipe);
  return result;
}

// Strings without quotes, numbers short.
std::string Short(const Json& value) {
  if (value.is_string()) return OneLine(value.get<std::string>());
  if (value.is_number_float()) return Format("%.6g", value.get<double>());
  return OneLine(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string RankText(const Json& group) {
  const size_t least = group["least_rank"], most = group["most_rank"];
  if (most == 0) return "";
  return least == most ? std::to_string(most) : std::to_string(least) + "-" + std::to_string(most);
}

std::string HeadlineText(const Json& result) {
  const Json& size = result["size"];
  const std::string name = Short(result["name"]);
  return Format("%s: %s%s%s, %.2f M weights in %s, %.3f bits each\n", Short(result["file"]).c_str(),
                Short(result["architecture"]).c_str(), name.empty() ? "" : " ", name.c_str(),
                size["weights"].get<double>() / 1e6, SizeText(size["bytes"]).c_str(),
                size["file_bits_per_weight"].get<double>());
}

std::string PairsText(const std::string& title, const Json& pairs) {
  std::string text = "\n" + title + "\n";
  for (const auto& [key, value] : pairs.items()) {
    text += Format("  %-22s %s\n", OneLine(key).c_str(), Short(value).c_str());
  }
  return text;
}

std::string MatrixText(const char* name, const Json& matrix) {
  if (matrix.is_null()) return Format("  %-22s tied to the embedding\n", name);
  const size_t rank = matrix["rank"];
  return Format("  %-22s %6zu x %-6zu  %-9s %9s %8.3f\n", name, matrix["rows"].get<size_t>(),
                matrix["columns"].get<size_t>(), Short(matrix["type"]).c_str(),
                rank == 0 ? "" : std::to_string(rank).c_str(), matrix["bits_per_weight"].get<double>());
}

std::string WeightsText(const Json& result) {
  std::string text =
      Format("\n%-24s %6s   %-6s  %-9s %9s %8s\n", "weights", "rows", "columns", "type", "rank", "bits");
  for (const Json& group : result["linears"]) {
    const std::string name = Format("%s (%zu)", Short(group["name"]).c_str(), group["count"].get<size_t>());
    text += Format("  %-22s %6zu x %-6zu  %-9s %9s %8.3f\n", name.c_str(), group["outputs"].get<size_t>(),
                   group["inputs"].get<size_t>(), Short(group["type"]).c_str(), RankText(group).c_str(),
                   group["bits_per_weight"].get<double>());
  }
  text +=
      Format("  %-58s %8.3f\n", "all linear layers", result["size"]["linear_bits_per_weight"].get<double>());
  return text + MatrixText("embedding", result["embedding"]) + MatrixText("head", result["head"]);
}

std::string LayersText(const Json& layers) {
  std::string text = Format("\n%-24s %-9s %9s %8s %14s %12s\n", "layers", "type", "rank", "bits",
                            "weighted error", "output error");
  for (const Json& layer : layers) {
    text +=
        Format("  %-22s %-9s %9zu %8.3f %14s %12s\n", Short(layer["name"]).c_str(),
               Short(layer["type"]).c_str(), layer["rank"].get<size_t>(),
               layer["bits_per_weight"].get<double>(), Short(layer.value("weighted_error", Json(""))).c_str(),
               Short(layer.value("output_error", Json(""))).c_str());
  }
  return text;
}

std::string ToText(const Json& result) {
  std::string text = HeadlineText(result) + PairsText("shape", result["config"]) + WeightsText(result) +
                     PairsText("tokenizer", result["tokenizer"]);
  if (!result["recipe"].empty()) text += PairsText("recipe", result["recipe"]);
  if (result.contains("layers")) text += LayersText(result["layers"]);
  return text;
}

void Run(const Arguments& arguments) {
  const Json result = Inspect(arguments);
  PrintResult(result, ToText(result), arguments.json);
}

}  // namespace

CommandRun SetUpInspect(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Model");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  app.option_defaults()->group("Output");
  AddFlag(app, "--layers", arguments->layers, "also each layer: rank, bits, errors");
  AddJson(app, arguments->json);
  app.option_defaults()->group("General");
  app.footer(
      "Examples:\n"
      "  addend inspect model.gguf --layers\n"
      "  addend inspect model.gguf --json");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
