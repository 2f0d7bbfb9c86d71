// The recipe in a compressed file's metadata: how it was made, and with what errors (docs/format.md).
#pragma once
#include <string>

#include "base/json.h"
#include "model/model.h"

namespace addend {

inline constexpr const char* kRecipeKey = "addend.recipe";
inline constexpr const char* kRecipeLinears = "linears";  // in the recipe: an object by linear name

// {} when the file has none: it was not compressed by us. Throws Error when it is damaged.
Json RecipeOf(const Model& model);
// What it has of one linear; {} when nothing.
Json ErrorsOf(const Json& recipe, const std::string& linear_name);

}  // namespace addend
