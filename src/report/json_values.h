// Reading JSON that may hold anything: what is missing or of another type is absent, never an error.
#pragma once
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace addend {

using JsonPath = std::initializer_list<const char*>;

// The value at json[path...]; null when something on the way is missing or not an object.
const Json& At(const Json& json, JsonPath path);
std::optional<double> NumberAt(const Json& json, JsonPath path);  // finite
std::string TextAt(const Json& json, JsonPath path);              // "" when there is no text
std::vector<double> NumbersAt(const Json& json, JsonPath path);   // up to the first that is none

// All values in it under their dotted names, as people read them; null is left out. Arrays of texts and
// numbers become lists. What is nested more deeply than a few levels is left out too.
std::vector<std::pair<std::string, std::string>> Flattened(const Json& json);

}  // namespace addend
