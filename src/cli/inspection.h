// A model as JSON: what `addend inspect --json` prints, and what pages and comparisons are made from.
#pragma once
#include "base/file.h"
#include "base/json.h"

namespace addend {

// What is inside the model at `path` and how it was made. With `layers` also each linear layer, with the
// errors that the recipe has of it. Throws Error when there is no such model, or its recipe is damaged.
Json Inspection(const Path& path, bool layers);

}  // namespace addend
