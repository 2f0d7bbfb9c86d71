// JSON by nlohmann-json, with errors that name the file. Include this, not the library.
#pragma once
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

namespace addend {

// Keeps the order of keys, which people like to read; finding one is linear, so files with many thousand keys
// in one object (vocabularies, tensor lists) want another representation.
using Json = nlohmann::ordered_json;

// What a text may ask of those who work with it: copying and printing a value recurse into it, and finding a
// key looks through the members of an object one by one.
struct JsonLimits {
  size_t depth = 500;                                   // of lists and objects in each other
  size_t members = std::numeric_limits<size_t>::max();  // of one object
};

// Throws Error "ORIGIN: not valid JSON: ..." on bad text, and when it is beyond the limits, before anything
// is built from it.
Json ParseJson(std::string_view text, std::string_view origin, const JsonLimits& limits = {});

// value[key] as T; throws Error naming origin and key when it is missing or of another type.
// (An integer is accepted where a floating-point number is wanted, and never the other way round.)
template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin);
// The same with a default for a key that is missing or null.
template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin, const T& if_missing);

}  // namespace addend

#include "base/json_inl.h"
