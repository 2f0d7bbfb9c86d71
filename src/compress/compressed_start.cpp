#include "compress/compressed_start.h"

#include "base/error.h"
#include "compress/recipe.h"

namespace addend {
namespace {

void CheckShapes(const Path& path, const Model& model, const Model& dense) {
  if (model.blocks.size() != dense.blocks.size() || model.config.vocabulary != dense.config.vocabulary ||
      model.config.hidden != dense.config.hidden) {
    throw Error(path.string(), ": is not a compressed form of that model: ", model.blocks.size(),
                " blocks, hidden size ", model.config.hidden, ", vocabulary ", model.config.vocabulary,
                ", not ", dense.blocks.size(), ", ", dense.config.hidden, ", ", dense.config.vocabulary);
  }
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear &linear = model.blocks[b][kind], &original = dense.blocks[b][kind];
      if (!linear.factored()) throw Error(path.string(), ": ", LinearName(b, kind), " is not compressed");
      if (linear.outputs() != original.outputs() || linear.inputs() != original.inputs()) {
        throw Error(path.string(), ": is not a compressed form of that model: ", LinearName(b, kind), " is [",
                    linear.outputs(), ", ", linear.inputs(), "], not [", original.outputs(), ", ",
                    original.inputs(), "]");
      }
    }
  }
}

}  // namespace

CompressedStart LoadStart(const Path& path, const Model& dense) {
  CompressedStart start{.model = LoadCheckedModel(path), .recipe = {}, .linears = {}};
  CheckShapes(path, start.model, dense);
  start.recipe = RecipeOf(start.model);
  for (size_t b = 0; b < start.model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const auto& weight = std::get<FactoredWeight>(start.model.blocks[b][kind].weight);
      const std::string name = LinearName(b, kind);
      const Json errors = ErrorsOf(start.recipe, name);
      start.linears.push_back(
          {.name = name,
           .outputs = weight.outputs(),
           .inputs = weight.inputs(),
           .rank = weight.rank(),
           .bits = BitsPerWeight(weight.outputs(), weight.inputs(), weight.rank()),
           .weighted_error = JsonField<double>(errors, "weighted_error", path.string(), 0.0),
           .output_error = JsonField<double>(errors, "output_error", path.string(), 0.0)});
    }
  }
  return start;
}

}  // namespace addend
