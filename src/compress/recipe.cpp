#include "compress/recipe.h"

#include "base/error.h"

namespace addend {

Json RecipeOf(const Model& model) {
  const std::string origin = model.metadata.origin + ": key '" + kRecipeKey + "'";
  Json recipe = ParseJson(model.metadata.StringOr(kRecipeKey, "{}"), origin);
  if (!recipe.is_object()) throw Error(origin, " is not a JSON object");
  return recipe;
}

Json ErrorsOf(const Json& recipe, const std::string& linear_name) {
  const auto linears = recipe.find(kRecipeLinears);
  const bool known = linears != recipe.end() && linears->is_object() && linears->contains(linear_name);
  return known && linears->at(linear_name).is_object() ? linears->at(linear_name) : Json::object();
}

std::optional<TextFingerprint> FingerprintOf(const Model& model) {
  if (!model.metadata.Has(kFingerprintKey)) return std::nullopt;
  return WithContext(model.metadata.origin + ": key '" + kFingerprintKey + "'",
                     [&] { return TextFingerprint(model.metadata.Array<uint32_t>(kFingerprintKey)); });
}

void SetFingerprint(const TextFingerprint& fingerprint, Model& model) {
  model.metadata.Set(kFingerprintKey, GgufArray(fingerprint.values()));
}

}  // namespace addend
