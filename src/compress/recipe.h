// What a compressed file's metadata tells of how it was made (docs/format.md): the recipe with its errors,
// and a fingerprint of the text.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"
#include "calibrate/text_fingerprint.h"
#include "model/model.h"

namespace addend {

inline constexpr const char* kRecipeKey = "addend.recipe";
inline constexpr const char* kFingerprintKey = "addend.calibration_fingerprint";
inline constexpr const char* kRecipeLinears = "linears";  // in the recipe: an object by linear name

// {} when the file has none: it was not compressed by us. Throws Error when it is damaged.
Json RecipeOf(const Model& model);
// What it has of one linear; {} when nothing.
Json ErrorsOf(const Json& recipe, const std::string& linear_name);

// Of all text that the weights were made with; none when the file does not say: it is dense, or older than
// fingerprints. Throws Error when it is damaged.
std::optional<TextFingerprint> FingerprintOf(const Model& model);
void SetFingerprint(const TextFingerprint& fingerprint, Model& model);

}  // namespace addend
