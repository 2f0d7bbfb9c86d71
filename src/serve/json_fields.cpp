#include "serve/json_fields.h"

#include <utility>
#include <vector>

#include "serve/api_error.h"

namespace addend {
namespace {

constexpr JsonLimits kLimits = {.depth = 64, .members = 500};
constexpr size_t kLongestQuote = 60;  // of what was sent, in messages

std::string Cut(std::string text) {
  if (text.size() <= kLongestQuote) return text;
  size_t end = kLongestQuote;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // between characters
  return text.substr(0, end) + "...";
}

}  // namespace

Json ParseBody(std::string_view body) {
  try {
    return ParseJson(body, "the body", kLimits);
  } catch (const Error& error) {
    throw ApiError(400, error.what());
  }
}

std::string DescribeJson(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_string()) return "the text '" + Cut(value.get<std::string>()) + "'";
  if (value.is_number()) return "the number " + Cut(value.dump());
  return value.dump();
}

void ThrowWrongValue(const std::string& path, const Json& value, std::string_view needed) {
  throw ApiError(400, "'" + path + "' is " + DescribeJson(value) + ", it must be " + std::string(needed),
                 path);
}

JsonFields::JsonFields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) {
    throw ApiError(400,
                   (path_.empty() ? "the body" : "'" + path_ + "'") + " is " + DescribeJson(object) +
                       ", it must be an object",
                   path_);
  }
}

std::string JsonFields::PathTo(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Json* JsonFields::Take(const char* name) {
  taken_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::Require(const char* name) {
  const Json* const value = Take(name);
  if (value == nullptr) throw ApiError(400, "'" + PathTo(name) + "' is missing", PathTo(name));
  return *value;
}

std::optional<std::string> JsonFields::TakeText(const char* name) {
  const Json* const value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) ThrowWrongValue(PathTo(name), *value, "a text");
  return value->get<std::string>();
}

std::optional<bool> JsonFields::TakeFlag(const char* name) {
  const Json* const value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) ThrowWrongValue(PathTo(name), *value, "true or false");
  return value->get<bool>();
}

std::optional<uint64_t> JsonFields::TakeCount(const char* name, uint64_t least, uint64_t most) {
  const Json* const value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_unsigned() || value->get<uint64_t>() < least || value->get<uint64_t>() > most) {
    ThrowWrongValue(PathTo(name), *value,
                    "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value->get<uint64_t>();
}

std::optional<double> JsonFields::TakeNumber(const char* name, double least, double most) {
  const Json* const value = Take(name);
  if (value == nullptr) return std::nullopt;
  const bool in_range = value->is_number() && value->get<double>() >= least && value->get<double>() <= most;
  if (!in_range)
    ThrowWrongValue(PathTo(name), *value, "a number from " + Json(least).dump() + " to " + Json(most).dump());
  return value->get<double>();
}

void JsonFields::TakeOnly(const char* name, const Json& allowed, std::string_view why) {
  const Json* const value = Take(name);
  if (value == nullptr || *value == allowed) return;
  throw ApiError(400, "'" + PathTo(name) + "' is " + DescribeJson(*value) + ", but " + std::string(why),
                 PathTo(name), "unsupported_value");
}

void JsonFields::RefuseOthers() const {
  for (const auto& [name, value] : object_.items()) {
    if (taken_.contains(name)) continue;
    throw ApiError(400, "'" + Cut(PathTo(name)) + "' is no parameter that this server knows",
                   Cut(PathTo(name)), "unknown_parameter");
  }
}

}  // namespace addend
