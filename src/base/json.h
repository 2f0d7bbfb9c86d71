// JSON by nlohmann-json, with errors that name the file. Include this, not the library.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

namespace addend {

// Keeps the order of keys, which people like to read; finding one is linear, so files with many thousand keys
// in one object (vocabularies, tensor lists) want another representation.
using Json = nlohmann::ordered_json;

// Throws Error "ORIGIN: not valid JSON: ..." on bad text, and when it is nested too deeply to be worked with.
Json ParseJson(std::string_view text, std::string_view origin);

// value[key] as T; throws Error naming origin and key when it is missing or of another type.
// (An integer is accepted where a floating-point number is wanted, and never the other way round.)
template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin);
// The same with a default for a key that is missing or null.
template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin, const T& if_missing);

}  // namespace addend

#include "base/json_inl.h"
