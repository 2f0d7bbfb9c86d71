#include <utility>

#include "base/error.h"
#include "formats/gguf_types.h"
#include "formats/tensor_shape.h"

namespace addend {
namespace {

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

const GgufValue& Get(const GgufMetadata& metadata, std::string_view key) {
  const GgufValue* value = metadata.Find(key);
  if (value == nullptr) throw Error(metadata.origin, ": key ", Quoted(key), " is missing");
  return *value;
}

std::string Describe(const GgufValue& value) {
  return std::visit(
      []<typename T>(const T& held) {
        std::ostringstream text;
        if constexpr (std::is_same_v<T, GgufArray>) {
          std::visit([&]<typename E>(const std::vector<E>&) { text << "array of " << gguf::kName<E>; }, held);
        } else {
          text << gguf::kName<T>;
          if constexpr (std::is_arithmetic_v<T>) text << " " << +held;
        }
        return text.str();
      },
      value);
}

[[noreturn]] void Refuse(const GgufMetadata& metadata, std::string_view key, const GgufValue& value,
                         std::string_view needed) {
  throw Error(metadata.origin, ": key ", Quoted(key), " is ", Describe(value), ", needed is ", needed);
}

template <typename T>
T GetInteger(const GgufMetadata& metadata, std::string_view key, std::string_view needed) {
  const GgufValue& value = Get(metadata, key);
  return std::visit(
      [&]<typename Held>(const Held& held) -> T {
        if constexpr (kIsInteger<Held>) {
          if (std::in_range<T>(held)) return static_cast<T>(held);
        }
        Refuse(metadata, key, value, needed);
      },
      value);
}

template <typename T>
const T& GetExact(const GgufMetadata& metadata, std::string_view key, std::string_view needed) {
  const GgufValue& value = Get(metadata, key);
  if (const T* held = std::get_if<T>(&value)) return *held;
  Refuse(metadata, key, value, needed);
}

}  // namespace

void GgufMetadata::Set(std::string key, GgufValue value) {
  const auto [place, added] = index_.try_emplace(key, entries_.size());
  if (added) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

const GgufValue* GgufMetadata::Find(std::string_view key) const {
  const auto place = index_.find(key);
  return place == index_.end() ? nullptr : &entries_[place->second].second;
}

uint64_t GgufMetadata::Integer(std::string_view key) const {
  return GetInteger<uint64_t>(*this, key, "an integer of at least 0");
}

int64_t GgufMetadata::SignedInteger(std::string_view key) const {
  return GetInteger<int64_t>(*this, key, "an integer");
}

double GgufMetadata::Float(std::string_view key) const {
  const GgufValue& value = Get(*this, key);
  return std::visit(
      [&]<typename Held>(const Held& held) -> double {
        if constexpr (kIsInteger<Held> || std::is_floating_point_v<Held>) {
          return static_cast<double>(held);
        } else {
          Refuse(*this, key, value, "a number");
        }
      },
      value);
}

bool GgufMetadata::Bool(std::string_view key) const {
  return GetExact<bool>(*this, key, "a bool");
}

const std::string& GgufMetadata::String(std::string_view key) const {
  return GetExact<std::string>(*this, key, "a string");
}

template <typename T>
const std::vector<T>& GgufMetadata::Array(std::string_view key) const {
  const std::string needed = "an array of " + std::string(gguf::kName<T>);
  const GgufArray& array = GetExact<GgufArray>(*this, key, needed);
  if (const auto* held = std::get_if<std::vector<T>>(&array)) return *held;
  Refuse(*this, key, array, needed);
}

template const std::vector<uint8_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<int8_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<uint16_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<int16_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<uint32_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<int32_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<float>& GgufMetadata::Array(std::string_view) const;
template const std::vector<bool>& GgufMetadata::Array(std::string_view) const;
template const std::vector<std::string>& GgufMetadata::Array(std::string_view) const;
template const std::vector<uint64_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<int64_t>& GgufMetadata::Array(std::string_view) const;
template const std::vector<double>& GgufMetadata::Array(std::string_view) const;

uint64_t GgufMetadata::IntegerOr(std::string_view key, uint64_t fallback) const {
  return Has(key) ? Integer(key) : fallback;
}

double GgufMetadata::FloatOr(std::string_view key, double fallback) const {
  return Has(key) ? Float(key) : fallback;
}

bool GgufMetadata::BoolOr(std::string_view key, bool fallback) const {
  return Has(key) ? Bool(key) : fallback;
}

std::string GgufMetadata::StringOr(std::string_view key, std::string fallback) const {
  if (Has(key)) return String(key);
  return fallback;
}

}  // namespace addend
