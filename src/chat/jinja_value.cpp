#include "chat/jinja_value.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

size_t DepthAbove(size_t deepest) {
  if (deepest + 1 > Limits::kValueDepth)
    throw Error("a value is nested more than ", Limits::kValueDepth, " levels deep");
  return deepest + 1;
}

}  // namespace

void Budget::Exhausted() {
  throw Error("rendering takes too many steps or too much memory");
}

Value Value::MakeUndefined(std::string what) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(what))};
  return value;
}

Value Value::MakeMarkup(std::string text) {
  Value value;
  value.data_ = std::make_shared<const Text>(Text{std::move(text), true});
  return value;
}

Value Value::MakeList(Values items, Sequence kind) {
  size_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  auto list = std::make_shared<List>();
  list->depth = DepthAbove(deepest);
  list->items = std::move(items);
  list->kind = kind;
  Value value;
  value.data_ = std::shared_ptr<const List>(std::move(list));
  return value;
}

Value Value::MakeDict(std::vector<std::pair<Value, Value>> pairs) {
  size_t deepest = 0;
  for (const auto& [key, item] : pairs) deepest = std::max({deepest, key.depth(), item.depth()});
  auto dict = std::make_shared<Dict>();
  dict->depth = DepthAbove(deepest);
  dict->pairs = std::move(pairs);
  Value value;
  value.data_ = std::shared_ptr<const Dict>(std::move(dict));
  return value;
}

namespace {

// `level` bounds the walk itself: a Json of any depth may come in.
Value Convert(const Json& json, size_t level, Budget& budget) {
  if (level > Limits::kValueDepth)
    throw Error("a value is nested more than ", Limits::kValueDepth, " levels deep");
  budget.Charge(4);
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > uint64_t(INT64_MAX)) return json.get<double>();
      return json.get<int64_t>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string: {
      const std::string& text = json.get_ref<const std::string&>();
      budget.ChargeBytes(text.size());
      return ReplaceInvalidUtf8(text);
    }
    case Json::value_t::array: {
      Values items;
      for (const Json& item : json) items.push_back(Convert(item, level + 1, budget));
      return Value::MakeList(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> pairs;
      for (const auto& [key, item] : json.items()) {
        budget.ChargeBytes(key.size());
        pairs.emplace_back(ReplaceInvalidUtf8(key), Convert(item, level + 1, budget));
      }
      return Value::MakeDict(std::move(pairs));
    }
    default:
      return None{};
  }
}

}  // namespace

Value Value::FromJson(const Json& json, Budget& budget) {
  return Convert(json, 1, budget);
}

const Values& Value::items() const {
  return std::get<std::shared_ptr<const List>>(data_)->items;
}

const std::vector<std::pair<Value, Value>>& Value::pairs() const {
  return std::get<std::shared_ptr<const Dict>>(data_)->pairs;
}

bool Value::IsIterator() const {
  return IsSequence() && std::get<std::shared_ptr<const List>>(data_)->kind == Sequence::kIterator;
}

bool Value::IsTuple() const {
  return IsSequence() && std::get<std::shared_ptr<const List>>(data_)->kind == Sequence::kTuple;
}

Namespace* Value::AsNamespace() const {
  const auto* found = std::get_if<Namespace*>(&data_);
  return found ? *found : nullptr;
}

double Value::AsDouble() const {
  return IsFloat() ? std::get<double>(data_) : double(AsInteger());
}

int64_t Value::AsInteger() const {
  return IsBool() ? std::get<bool>(data_) : std::get<int64_t>(data_);
}

bool Value::Truth() const {
  if (IsUndefined() || IsNone()) return false;
  if (IsFloat()) return AsDouble() != 0;
  if (IsNumber()) return AsInteger() != 0;
  if (IsString()) return !string().empty();
  if (IsIterator()) return true;
  if (IsSequence()) return !items().empty();
  if (IsDict()) return !pairs().empty();
  return true;
}

std::string Value::TypeName() const {
  if (IsUndefined()) return "Undefined";
  if (IsNone()) return "NoneType";
  if (IsBool()) return "bool";
  if (IsInteger()) return "int";
  if (IsFloat()) return "float";
  if (IsString()) return "str";
  if (IsIterator()) return "generator";
  if (IsTuple()) return "tuple";
  if (IsSequence()) return "list";
  if (IsDict()) return "dict";
  return AsNamespace() ? "namespace" : "function";
}

std::string Value::Describe() const {
  if (!IsUndefined()) return "a value of type " + TypeName();
  const auto& what = std::get<Undefined>(data_).what;
  return what ? *what + ", which is undefined" : "an undefined value";
}

size_t Value::depth() const {
  if (IsSequence()) return std::get<std::shared_ptr<const List>>(data_)->depth;
  if (IsDict()) return std::get<std::shared_ptr<const Dict>>(data_)->depth;
  if (IsCallable()) return callable().depth;
  return 0;
}

const Value* Value::Find(const Value& key, Budget& budget) const {
  if (!IsDict()) return nullptr;
  for (const auto& [name, value] : pairs()) {
    if (Equal(name, key, budget)) return &value;
  }
  return nullptr;
}

const Value* Value::FindKey(std::string_view key, Budget& budget) const {
  if (!IsDict()) return nullptr;
  budget.Charge(1 + pairs().size() / 2);
  for (const auto& [name, value] : pairs()) {
    if (name.IsString() && name.string() == key) return &value;
  }
  return nullptr;
}

std::string Quoted(std::string_view name) {
  std::string text(1, '\'');
  text += name.size() > 80 ? ReplaceInvalidUtf8(name.substr(0, 80)) : std::string(name);
  text += '\'';
  return text;
}

bool Equal(const Value& a, const Value& b, Budget& budget) {
  budget.Charge(1);
  if (a.IsNumber() && b.IsNumber()) {
    if (a.IsFloat() || b.IsFloat()) return a.AsDouble() == b.AsDouble();
    return a.AsInteger() == b.AsInteger();
  }
  if (a.IsString() && b.IsString()) {
    budget.ChargeBytes(std::min(a.string().size(), b.string().size()));
    return a.string() == b.string();
  }
  if (a.IsSequence() && b.IsSequence()) {
    if (a.IsTuple() != b.IsTuple() || a.IsIterator() || b.IsIterator()) return false;
    return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                      [&](const Value& x, const Value& y) { return Equal(x, y, budget); });
  }
  if (a.IsDict() && b.IsDict()) {
    if (a.pairs().size() != b.pairs().size()) return false;
    return std::all_of(a.pairs().begin(), a.pairs().end(), [&](const auto& pair) {
      const Value* other = b.Find(pair.first, budget);
      return other && Equal(pair.second, *other, budget);
    });
  }
  if (a.AsNamespace() || b.AsNamespace()) return a.AsNamespace() == b.AsNamespace();
  if (a.IsCallable() && b.IsCallable()) return &a.callable() == &b.callable();
  return (a.IsUndefined() && b.IsUndefined()) || (a.IsNone() && b.IsNone());
}

bool Less(const Value& a, const Value& b, Budget& budget) {
  budget.Charge(1);
  if (a.IsNumber() && b.IsNumber()) {
    if (a.IsFloat() || b.IsFloat()) return a.AsDouble() < b.AsDouble();
    return a.AsInteger() < b.AsInteger();
  }
  if (a.IsString() && b.IsString()) {
    budget.ChargeBytes(std::min(a.string().size(), b.string().size()));
    return a.string() < b.string();  // the order of UTF-8's bytes is that of code points
  }
  if (a.IsSequence() && b.IsSequence() && a.IsTuple() == b.IsTuple() && !a.IsIterator() && !b.IsIterator()) {
    for (size_t i = 0; i < std::min(a.items().size(), b.items().size()); ++i) {
      if (!Equal(a.items()[i], b.items()[i], budget)) return Less(a.items()[i], b.items()[i], budget);
    }
    return a.items().size() < b.items().size();
  }
  throw Error(a.Describe(), " and ", b.Describe(), " have no order");
}

bool Contains(const Value& haystack, const Value& needle, Budget& budget) {
  if (haystack.IsString()) {
    if (!needle.IsString()) throw Error("'in' a string needs a string, found ", needle.Describe());
    // std::string::find can take the product of both lengths.
    budget.Charge(1 + haystack.string().size() / 8 * std::min<size_t>(needle.string().size() / 64 + 1, 1024));
    return haystack.string().find(needle.string()) != std::string::npos;
  }
  if (haystack.IsDict()) return haystack.Find(needle, budget) != nullptr;
  if (!haystack.IsUndefined() && !haystack.IsSequence())
    throw Error("'in' needs a string, a list or a dictionary on its right, found ", haystack.Describe());
  if (haystack.IsUndefined()) return false;
  return std::any_of(haystack.items().begin(), haystack.items().end(),
                     [&](const Value& item) { return Equal(item, needle, budget); });
}

Values Iterate(const Value& value, Budget& budget) {
  Values items;
  if (value.IsUndefined()) return items;
  if (value.IsSequence()) {
    budget.Charge(value.items().size());
    return value.items();
  }
  if (value.IsDict()) {
    budget.Charge(value.pairs().size());
    for (const auto& [key, unused] : value.pairs()) items.push_back(key);
    return items;
  }
  if (!value.IsString()) throw Error("cannot walk through ", value.Describe());
  const std::string& text = value.string();
  budget.Charge(8 * text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    NextCodePoint(text, at);
    items.emplace_back(text.substr(begin, at - begin));
  }
  return items;
}

}  // namespace addend::jinja
