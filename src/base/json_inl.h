#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace addend {
namespace json_detail {

template <typename T>
bool Holds(const Json& value) {
  if constexpr (std::is_same_v<T, bool>)
    return value.is_boolean();
  else if constexpr (std::is_unsigned_v<T>)
    return value.is_number_unsigned() && value.get<uint64_t>() <= std::numeric_limits<T>::max();
  else if constexpr (std::is_integral_v<T>)
    return value.is_number_integer() &&
           (!value.is_number_unsigned() ||
            value.get<uint64_t>() <= uint64_t(std::numeric_limits<T>::max())) &&
           (value.is_number_unsigned() || value.get<int64_t>() >= int64_t(std::numeric_limits<T>::min()));
  else if constexpr (std::is_floating_point_v<T>)
    return value.is_number();
  else if constexpr (std::is_same_v<T, std::string>)
    return value.is_string();
  else
    return true;  // containers: get<T>() checks
}

// Short, and safe for nesting of any depth.
inline std::string Describe(const Json& value) {
  return value.is_structured() ? std::string(value.type_name()) : value.dump().substr(0, 80);
}

}  // namespace json_detail

template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin) {
  if (!value.is_object() || !value.contains(key)) throw Error(origin, ": '", key, "' is missing");
  const Json& field = value.at(key);
  if (!json_detail::Holds<T>(field))
    throw Error(origin, ": '", key, "' has the wrong type or range: ", json_detail::Describe(field));
  try {
    return field.get<T>();
  } catch (const Json::exception&) {
    throw Error(origin, ": '", key, "' has the wrong type: ", json_detail::Describe(field));
  }
}

template <typename T>
T JsonField(const Json& value, const char* key, std::string_view origin, const T& if_missing) {
  if (!value.is_object() || !value.contains(key) || value.at(key).is_null()) return if_missing;
  return JsonField<T>(value, key, origin);
}

}  // namespace addend
