#include "cli/inspection.h"

#include <algorithm>
#include <limits>

#include "compress/recipe.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

size_t RankOf(const Linear& linear) {
  const auto* factored = std::get_if<FactoredWeight>(&linear.weight);
  return factored != nullptr ? factored->rank() : 0;
}

// In a file: rows of signs are padded to whole bytes.
double StoredBytesOf(const Linear& linear) {
  const size_t rank = RankOf(linear);
  return rank > 0 ? static_cast<double>(StoredBytes(linear.outputs(), linear.inputs(), rank))
                  : linear.Bits() / 8;
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

// Bytes by what they hold. What a file holds beside its tensors (tokenizer, recipe, names) is its metadata.
Json PartsOf(const Model& model, const SizeReport& size, double file_bytes) {
  double signs = 0, scales = 0, dense = 0;
  for (const Block& block : model.blocks) {
    for (const Linear& linear : block.linears) {
      if (const size_t rank = RankOf(linear); rank > 0) {
        const auto scale_bytes = static_cast<double>(2 * (linear.outputs() + linear.inputs() + rank));
        scales += scale_bytes;
        signs += StoredBytesOf(linear) - scale_bytes;
      } else {
        dense += StoredBytesOf(linear);
      }
    }
  }
  const double embedding = StoredBytesOf(model.embedding), head = model.head ? StoredBytesOf(*model.head) : 0;
  const double tensors = size.total_bits / 8;
  return {{"signs", signs},
          {"scales", scales},
          {"dense layers", dense},
          {"embedding", embedding},
          {"head", head},
          {"norms and biases", tensors - signs - scales - dense - embedding - head},
          {"metadata", std::max(0.0, file_bytes - tensors)}};
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
          {"file_bits_per_weight", 8 * bytes / static_cast<double>(size.total_weights)},
          {"parts", PartsOf(model, size, bytes)}};
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
                                   {"block", b},
                                   {"kind", Name(kind)},
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

}  // namespace

Json Inspection(const Path& path, bool layers) {
  const Model model = LoadModel(path);
  Json recipe = RecipeOf(model);
  Json result = {{"file", path.string()},
                 {"name", model.config.name},
                 {"architecture", Name(model.config.architecture)},
                 {"config", ToJson(model.config)},
                 {"size", SizesOf(model, path)},
                 {"linears", Json::array()},
                 {"embedding", ToJson(model.embedding)},
                 {"head", model.head ? ToJson(*model.head) : Json()},  // null: tied to the embedding
                 {"tokenizer", TokenizerOf(path)}};
  for (const Group& group : GroupsOf(model)) result["linears"].push_back(ToJson(group));
  if (layers) result["layers"] = LayersOf(model, recipe);
  recipe.erase(kRecipeLinears);
  result["recipe"] = std::move(recipe);
  return result;
}

}  // namespace addend
