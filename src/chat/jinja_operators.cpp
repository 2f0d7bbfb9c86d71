#include "chat/jinja_operators.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "chat/jinja_methods.h"
#include "chat/jinja_strings.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {

Parameters::Parameters(std::string function, Arguments& arguments,
                       std::initializer_list<std::string_view> names)
    : function_(std::move(function)), names_(names), given_(names.size(), nullptr) {
  if (arguments.positional.size() > names.size())
    throw Error("'", function_, "' takes at most ", names.size(), " arguments, found ",
                arguments.positional.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) given_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw Error("'", function_, "' has no argument '", name, "'");
    const Value*& slot = given_[size_t(found - names.begin())];
    if (slot) throw Error("'", function_, "' gets its argument '", name, "' twice");
    slot = &value;
  }
}

const Value& Parameters::Require(size_t index) const {
  if (!given_[index]) throw Error("'", function_, "' needs the argument '", names_[index], "'");
  return *given_[index];
}

const std::string& Parameters::Text(size_t index) const {
  const Value& value = Require(index);
  if (!value.IsString())
    throw Error("'", function_, "' needs a string as '", names_[index], "', found ", value.Describe());
  return value.string();
}

const std::string* Parameters::TextOrNull(size_t index) const {
  return !given_[index] || given_[index]->IsNone() ? nullptr : &Text(index);
}

int64_t Parameters::Integer(size_t index, int64_t fallback) const {
  if (!given_[index] || given_[index]->IsNone()) return fallback;
  if (!given_[index]->IsInteger() && !given_[index]->IsBool())
    throw Error("'", function_, "' needs an integer as '", names_[index], "', found ",
                given_[index]->Describe());
  return given_[index]->AsInteger();
}

namespace {

[[noreturn]] void Unfit(std::string_view name, const Value& left, const Value& right) {
  throw Error("'", name, "' does not work on ", left.Describe(), " and ", right.Describe());
}

[[noreturn]] void Overflow() {
  throw Error("an integer is larger than 64 bits");
}

int64_t FloorDivide(int64_t left, int64_t right) {
  if (right == 0) throw Error("division by zero");
  if (left == INT64_MIN && right == -1) Overflow();
  const int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

int64_t Modulo(int64_t left, int64_t right) {
  if (right == 0) throw Error("division by zero");
  if (right == -1) return 0;
  const int64_t rest = left % right;
  return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
}

Value IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw Error("division by zero");
    return std::pow(double(base), double(exponent));
  }
  int64_t result = 1;
  if (base == 0 || base == 1) return exponent == 0 ? int64_t(1) : base;
  if (base == -1) return exponent % 2 == 0 ? int64_t(1) : int64_t(-1);
  for (; exponent > 0; --exponent) {  // at most 63 rounds, then it overflows
    if (__builtin_mul_overflow(result, base, &result)) Overflow();
  }
  return result;
}

Value IntegerArithmetic(std::string_view name, int64_t left, int64_t right) {
  int64_t result = 0;
  if (name == "+") {
    if (__builtin_add_overflow(left, right, &result)) Overflow();
  } else if (name == "-") {
    if (__builtin_sub_overflow(left, right, &result)) Overflow();
  } else if (name == "*") {
    if (__builtin_mul_overflow(left, right, &result)) Overflow();
  } else if (name == "//") {
    result = FloorDivide(left, right);
  } else if (name == "%") {
    result = Modulo(left, right);
  } else if (name == "**") {
    return IntegerPower(left, right);
  } else {
    if (right == 0) throw Error("division by zero");
    return double(left) / double(right);
  }
  return result;
}

Value FloatArithmetic(std::string_view name, double left, double right) {
  if (name == "+") return left + right;
  if (name == "-") return left - right;
  if (name == "*") return left * right;
  if (name == "**") return std::pow(left, right);
  if (right == 0) throw Error("division by zero");
  if (name == "/") return left / right;
  if (name == "//") return std::floor(left / right);
  const double rest = std::fmod(left, right);
  return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
}

Value Repeat(const Value& value, int64_t times, Budget& budget) {
  times = std::max<int64_t>(times, 0);
  const size_t size = value.IsString() ? value.string().size() : value.items().size();
  uint64_t total = 0;
  if (__builtin_mul_overflow(uint64_t(times), uint64_t(size), &total)) total = UINT64_MAX / 2;
  budget.Charge(1 + (value.IsString() ? total / 8 : total));
  if (value.IsString()) {
    std::string text;
    for (; size > 0 && times > 0; --times) text += value.string();
    return text;
  }
  Values items;
  for (; size > 0 && times > 0; --times)
    items.insert(items.end(), value.items().begin(), value.items().end());
  return Value::MakeList(std::move(items), value.IsTuple() ? Sequence::kTuple : Sequence::kList);
}

bool IsListOrTuple(const Value& value) {
  return value.IsSequence() && !value.IsIterator();
}

Value Add(const Value& left, const Value& right, Budget& budget) {
  if (left.IsString() && right.IsString()) {
    budget.ChargeBytes(left.string().size() + right.string().size());
    if (left.IsMarkup() != right.IsMarkup()) {
      const auto escaped = [&](const Value& text) {
        return text.IsMarkup() ? text.string() : EscapeHtml(text.string(), budget);
      };
      return Value::MakeMarkup(escaped(left) + escaped(right));
    }
    if (left.IsMarkup()) return Value::MakeMarkup(left.string() + right.string());
    return left.string() + right.string();
  }
  if (!IsListOrTuple(left) || !IsListOrTuple(right) || left.IsTuple() != right.IsTuple())
    Unfit("+", left, right);
  budget.Charge(left.items().size() + right.items().size());
  Values items = left.items();
  items.insert(items.end(), right.items().begin(), right.items().end());
  return Value::MakeList(std::move(items), left.IsTuple() ? Sequence::kTuple : Sequence::kList);
}

// Where the code points of a text begin, and its end.
std::vector<size_t> Offsets(std::string_view text, Budget& budget) {
  budget.Charge(1 + text.size());
  std::vector<size_t> offsets;
  for (size_t at = 0; at < text.size(); NextCodePoint(text, at)) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

int64_t Bound(const Value& value, int64_t fallback) {
  if (value.IsNone()) return fallback;
  if (!value.IsInteger() && !value.IsBool()) throw Error("a slice needs integers, found ", value.Describe());
  return value.AsInteger();
}

// Python's slice.indices: which of `size` items a slice takes, in order.
std::vector<size_t> SliceIndices(const Value& begin, const Value& end, const Value& step, int64_t size) {
  const int64_t stride = Bound(step, 1);
  if (stride == 0) throw Error("the step of a slice is 0");
  const int64_t lowest = stride > 0 ? 0 : -1;
  const int64_t highest = stride > 0 ? size : size - 1;
  const auto clamp = [&](int64_t at) {
    if (at < 0) at = at < -size ? INT64_MIN / 2 : at + size;
    return std::clamp(at, lowest, highest);
  };
  const int64_t first = begin.IsNone() ? (stride > 0 ? lowest : highest) : clamp(Bound(begin, 0));
  const int64_t last = end.IsNone() ? (stride > 0 ? highest : lowest) : clamp(Bound(end, 0));
  std::vector<size_t> indices;
  for (int64_t at = first; stride > 0 ? at < last : at > last;) {
    indices.push_back(size_t(at));
    if (__builtin_add_overflow(at, stride, &at)) break;
  }
  return indices;
}

}  // namespace

Value Arithmetic(std::string_view name, const Value& left, const Value& right, Budget& budget) {
  budget.Charge(1);
  if (left.IsNumber() && right.IsNumber()) {
    if (left.IsFloat() || right.IsFloat()) return FloatArithmetic(name, left.AsDouble(), right.AsDouble());
    return IntegerArithmetic(name, left.AsInteger(), right.AsInteger());
  }
  if (name == "+") return Add(left, right, budget);
  if (name == "*") {
    const auto repeats = [](const Value& value) { return value.IsString() || IsListOrTuple(value); };
    if (repeats(left) && (right.IsInteger() || right.IsBool()))
      return Repeat(left, right.AsInteger(), budget);
    if (repeats(right) && (left.IsInteger() || left.IsBool())) return Repeat(right, left.AsInteger(), budget);
  }
  if (name == "%" && left.IsString()) throw Error("formatting a string with '%' is not supported");
  Unfit(name, left, right);
}

Value Sign(std::string_view name, const Value& value) {
  if (!value.IsNumber()) throw Error("'", name, "' does not work on ", value.Describe());
  if (value.IsFloat()) return name == "-" ? -value.AsDouble() : value.AsDouble();
  return IntegerArithmetic(name, 0, value.AsInteger());
}

Value GetAttribute(const Value& value, const std::string& name, Budget& budget) {
  budget.Charge(1);
  if (value.IsUndefined()) throw Error("cannot take '", name, "' of ", value.Describe());
  if (const Namespace* space = value.AsNamespace()) {
    const auto found = space->attributes.find(name);
    if (found != space->attributes.end()) return found->second;
  } else {
    if (const Value method = FindMethod(value, name); !method.IsUndefined()) return method;
    if (const Value* item = value.FindKey(name, budget)) return *item;
  }
  return Value::MakeUndefined(Quoted(name));
}

Value GetItem(const Value& value, const Value& key, Budget& budget) {
  budget.Charge(1);
  if (value.IsUndefined()) throw Error("cannot take an item of ", value.Describe());
  if (const Value* item = value.Find(key, budget)) return *item;
  if ((key.IsInteger() || key.IsBool()) &&
      (value.IsString() || (value.IsSequence() && !value.IsIterator()))) {
    const std::vector<size_t> offsets =
        value.IsString() ? Offsets(value.string(), budget) : std::vector<size_t>{};
    const auto size = int64_t(value.IsString() ? offsets.size() - 1 : value.items().size());
    int64_t at = key.AsInteger();
    if (at < 0 && at >= -size) at += size;
    if (at < 0 || at >= size) return Value::MakeUndefined("item " + std::to_string(key.AsInteger()));
    if (!value.IsString()) return value.items()[size_t(at)];
    return value.string().substr(offsets[size_t(at)], offsets[size_t(at) + 1] - offsets[size_t(at)]);
  }
  if (key.IsString()) return GetAttribute(value, key.string(), budget);
  return Value::MakeUndefined("an item");
}

Value Slice(const Value& value, const Value& begin, const Value& end, const Value& step, Budget& budget) {
  if (value.IsString()) {
    const std::vector<size_t> offsets = Offsets(value.string(), budget);
    std::string text;
    for (const size_t at : SliceIndices(begin, end, step, int64_t(offsets.size() - 1)))
      text.append(value.string(), offsets[at], offsets[at + 1] - offsets[at]);
    return text;
  }
  if (!IsListOrTuple(value)) throw Error("cannot slice ", value.Describe());
  budget.Charge(1 + value.items().size());
  Values items;
  for (const size_t at : SliceIndices(begin, end, step, int64_t(value.items().size())))
    items.push_back(value.items()[at]);
  return Value::MakeList(std::move(items), value.IsTuple() ? Sequence::kTuple : Sequence::kList);
}

}  // namespace addend::jinja
