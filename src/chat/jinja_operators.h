// Operators, attributes and methods of values, as Python and Jinja define them. All throw Error when the
// values do not fit.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja_value.h"

namespace addend::jinja {

// The arguments of one call, by place or name. Throws Error for too many and for unknown names.
class Parameters {
 public:
  Parameters(std::string function, Arguments& arguments, std::initializer_list<std::string_view> names);

  // Null when it was not given.
  const Value* Find(size_t index) const { return given_[index]; }
  const Value& Require(size_t index) const;
  const std::string& Text(size_t index) const;        // required
  const std::string* TextOrNull(size_t index) const;  // none counts as not given
  int64_t Integer(size_t index, int64_t fallback) const;
  bool Flag(size_t index, bool fallback) const { return given_[index] ? given_[index]->Truth() : fallback; }

 private:
  std::string function_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> given_;
};

// + - * / // % **
Value Arithmetic(std::string_view name, const Value& left, const Value& right, Budget& budget);
Value Sign(std::string_view name, const Value& value);

// value.name: a method first, then a key of a dictionary. Undefined if there is neither.
Value GetAttribute(const Value& value, const std::string& name, Budget& budget);
// value[key]: a key or an index first, then a method. Undefined if there is neither.
Value GetItem(const Value& value, const Value& key, Budget& budget);
// value[begin:end:step]; none and undefined bounds are Python's defaults.
Value Slice(const Value& value, const Value& begin, const Value& end, const Value& step, Budget& budget);

}  // namespace addend::jinja
