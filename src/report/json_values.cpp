#include "report/json_values.h"

#include <cmath>

#include "base/format.h"
#include "report/axis.h"

namespace addend {
namespace {

constexpr size_t kDeepest = 4;
constexpr size_t kLongestList = 32;

std::string ScalarText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  return value.is_number_float() ? NumberText(value.get<double>(), 6) : "";
}

std::string ListText(const Json& list) {
  if (list.size() > kLongestList) return std::to_string(list.size()) + " values";
  return Joined(list, ScalarText);
}

void Flatten(const Json& json, const std::string& prefix, size_t depth,
             std::vector<std::pair<std::string, std::string>>& found) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix + key;
    if (value.is_object()) {
      if (depth < kDeepest) Flatten(value, name + ".", depth + 1, found);
    } else if (value.is_array()) {
      found.emplace_back(name, ListText(value));
    } else if (!value.is_null()) {
      found.emplace_back(name, ScalarText(value));
    }
  }
}

}  // namespace

const Json& At(const Json& json, JsonPath path) {
  static const Json kNull;
  const Json* at = &json;
  for (const char* key : path) {
    if (!at->is_object() || !at->contains(key)) return kNull;
    at = &at->at(key);
  }
  return *at;
}

std::optional<double> NumberAt(const Json& json, JsonPath path) {
  const Json& value = At(json, path);
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

std::string TextAt(const Json& json, JsonPath path) {
  const Json& value = At(json, path);
  return value.is_string() ? value.get<std::string>() : "";
}

std::vector<double> NumbersAt(const Json& json, JsonPath path) {
  std::vector<double> numbers;
  const Json& list = At(json, path);
  if (!list.is_array()) return numbers;
  for (const Json& value : list) {
    if (!value.is_number()) break;
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

std::vector<std::pair<std::string, std::string>> Flattened(const Json& json) {
  std::vector<std::pair<std::string, std::string>> found;
  if (json.is_object()) Flatten(json, "", 1, found);
  return found;
}

}  // namespace addend
