#include "chat/jinja_filters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "base/error.h"
#include "chat/jinja_operators.h"
#include "chat/jinja_strings.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

struct Call {
  const std::string& name;
  const Value& value;
  Arguments& arguments;
  Budget& budget;
};
using Filter = Value (*)(const Call&);

// What the filters for texts see; like Python's str(), but an undefined value is empty.
std::string TextOf(const Call& call) {
  std::string text = ToText(call.value, call.budget);
  call.budget.Charge(text.size() / 2);
  return text;
}

// ---- one text ----

template <std::string (*kConvert)(std::string_view)>
Value ConvertFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  return kConvert(TextOf(call));
}

Value StringFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  return call.value.IsString() ? call.value : ToText(call.value, call.budget);
}

Value TrimFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"chars"});
  return Strip(ToText(call.value, call.budget), given.TextOrNull(0), true, true, call.budget);
}

Value ReplaceFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"old", "new", "count"});
  return Replace(ToText(call.value, call.budget), ToText(given.Require(0), call.budget),
                 ToText(given.Require(1), call.budget), given.Integer(2, -1), call.budget);
}

Value SafeFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  return Value::MakeMarkup(ToText(call.value, call.budget));
}

Value EscapeFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  if (call.value.IsMarkup()) return call.value;
  return Value::MakeMarkup(EscapeHtml(ToText(call.value, call.budget), call.budget));
}

Value IndentFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"width", "first", "blank"});
  const bool width_is_text = given.Find(0) && given.Find(0)->IsString();
  const int64_t width = width_is_text ? 0 : std::max<int64_t>(0, given.Integer(0, 4));
  call.budget.ChargeBytes(uint64_t(width));
  const std::string space = width_is_text ? given.Text(0) : std::string(size_t(width), ' ');
  const std::vector<std::string> lines = SplitLines(ToText(call.value, call.budget) + "\n", call.budget);
  std::string out = given.Flag(1, false) ? space : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    call.budget.ChargeBytes(space.size() + lines[i].size());
    if (i > 0) out += '\n';
    if (i > 0 && (!lines[i].empty() || given.Flag(2, false))) out += space;
    out += lines[i];
  }
  return out;
}

Value ToJsonFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = given.Flag(0, false);
  style.sort_keys = given.Flag(3, false);
  if (const int64_t indent = given.Integer(1, -1); indent >= 0) {
    if (indent > 100) throw Error("'tojson' with an indent above 100 is not supported");
    style.indent = int(indent);
    style.item_separator = std::string(1, ',');
  }
  if (given.Find(2) && !given.Find(2)->IsNone()) {
    const Values separators = Iterate(*given.Find(2), call.budget);
    if (separators.size() != 2 || !separators[0].IsString() || !separators[1].IsString())
      throw Error("'tojson' needs two strings as 'separators'");
    style.item_separator = separators[0].string();
    style.key_separator = separators[1].string();
  }
  return ToJson(call.value, style, call.budget);
}

// ---- numbers ----

std::optional<double> ParseFloat(const Value& value, Budget& budget) {
  if (value.IsNumber()) return value.AsDouble();
  if (!value.IsString()) return std::nullopt;
  std::string text = Strip(value.string(), nullptr, true, true, budget);
  if (text.starts_with('+')) text.erase(0, 1);
  double number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int64_t> Truncate(std::optional<double> number) {
  // 2^63 as a double: the first value that does not fit.
  if (!number || !(std::abs(*number) < 9223372036854775808.0)) return std::nullopt;
  return int64_t(*number);
}

Value IntFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"default", "base"});
  const Value fallback = given.Find(0) ? *given.Find(0) : Value(int64_t(0));
  if (given.Integer(1, 10) != 10) throw Error("'int' with a base other than 10 is not supported");
  if (call.value.IsInteger() || call.value.IsBool()) return call.value.AsInteger();
  if (call.value.IsString()) {
    std::string text = Strip(call.value.string(), nullptr, true, true, call.budget);
    if (text.starts_with('+')) text.erase(0, 1);
    int64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec == std::errc() && result.ptr == text.data() + text.size()) return number;
  }
  const std::optional<int64_t> number = Truncate(ParseFloat(call.value, call.budget));
  return number ? Value(*number) : fallback;
}

Value FloatFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"default"});
  if (const std::optional<double> number = ParseFloat(call.value, call.budget)) return *number;
  return given.Find(0) ? *given.Find(0) : Value(0.0);
}

const Value& RequireNumber(const Call& call) {
  if (!call.value.IsNumber()) throw Error("'", call.name, "' needs a number, found ", call.value.Describe());
  return call.value;
}

Value AbsFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  const Value& value = RequireNumber(call);
  return value.IsFloat() ? Value(std::abs(value.AsDouble())) : Sign(value.AsInteger() < 0 ? "-" : "+", value);
}

Value RoundFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"precision", "method"});
  const double value = RequireNumber(call).AsDouble();
  const std::string method = given.Find(1) ? given.Text(1) : "common";
  const double scale = std::pow(10.0, double(std::clamp<int64_t>(given.Integer(0, 0), -300, 300)));
  const double scaled = value * scale;
  if (method == "ceil") return std::ceil(scaled) / scale;
  if (method == "floor") return std::floor(scaled) / scale;
  if (method == "common" && !call.value.IsFloat()) return call.value.AsInteger();
  if (method != "common") throw Error("'round' knows no method '", method.substr(0, 80), "'");
  return std::nearbyint(scaled) / scale;  // halves to even, as Python's round
}

// ---- collections ----

Value LengthFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  const Value& value = call.value;
  if (value.IsUndefined()) return int64_t(0);
  if (value.IsString()) return int64_t(CountCodePoints(value.string()));
  if (value.IsDict()) return int64_t(value.pairs().size());
  if (value.IsIterator())
    throw Error("the result of a filter such as 'map' has no length; '|list' makes a list of it");
  if (!value.IsSequence()) throw Error(value.Describe(), " has no length");
  return int64_t(value.items().size());
}

// "a.b.0" of an item, as map, sort and others take it; undefined where it ends early.
class AttributePath {
 public:
  AttributePath(const Value& path, Budget& budget) : budget_(budget) {
    if (path.IsInteger()) {
      keys_.push_back(path);
      return;
    }
    if (!path.IsString()) throw Error("an attribute is named by a string, found ", path.Describe());
    const std::string point = ".";
    for (const std::string& part : Split(path.string(), &point, -1, false, budget)) {
      int64_t index = 0;
      const auto result = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool is_index = !part.empty() && part[0] != '-' && result.ptr == part.data() + part.size();
      keys_.push_back(is_index && result.ec == std::errc() ? Value(index) : Value(part));
    }
  }

  Value Of(Value item) const {
    for (const Value& key : keys_) item = GetItem(item, key, budget_);
    return item;
  }

 private:
  Values keys_;
  Budget& budget_;
};

// What sort, unique, min and max compare by.
class SortKey {
 public:
  SortKey(const Value* attribute, bool case_sensitive, Budget& budget)
      : case_sensitive_(case_sensitive), budget_(budget) {
    if (!attribute || attribute->IsNone()) return;
    const std::string comma = ",";
    if (!attribute->IsString()) {
      paths_.emplace_back(*attribute, budget);
    } else {
      for (const std::string& part : Split(attribute->string(), &comma, -1, false, budget))
        paths_.emplace_back(Value(part), budget);
    }
  }

  Value Of(const Value& item) const {
    if (paths_.empty()) return Fold(item);
    if (paths_.size() == 1) return Fold(paths_[0].Of(item));
    Values keys;
    for (const AttributePath& path : paths_) keys.push_back(Fold(path.Of(item)));
    return Value::MakeList(std::move(keys));
  }

 private:
  Value Fold(const Value& value) const {
    if (case_sensitive_ || !value.IsString()) return value;
    budget_.Charge(1 + value.string().size() / 2);
    return Lower(value.string());
  }

  std::vector<AttributePath> paths_;
  bool case_sensitive_;
  Budget& budget_;
};

// Items with their keys; a stable merge sort makes few comparisons and each pays for itself.
std::vector<std::pair<Value, Value>> SortedByKey(const Values& items, const SortKey& key, bool reverse,
                                                 Budget& budget) {
  std::vector<std::pair<Value, Value>> pairs;
  for (const Value& item : items) pairs.emplace_back(key.Of(item), item);
  std::stable_sort(pairs.begin(), pairs.end(), [&](const auto& a, const auto& b) {
    return reverse ? Less(b.first, a.first, budget) : Less(a.first, b.first, budget);
  });
  return pairs;
}

Value SortFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"reverse", "case_sensitive", "attribute"});
  const SortKey key(given.Find(2), given.Flag(1, false), call.budget);
  Values sorted;
  for (auto& [unused, item] :
       SortedByKey(Iterate(call.value, call.budget), key, given.Flag(0, false), call.budget))
    sorted.push_back(std::move(item));
  return Value::MakeList(std::move(sorted));
}

Value DictSortFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"case_sensitive", "by", "reverse"});
  if (!call.value.IsDict()) throw Error("'dictsort' needs a dictionary, found ", call.value.Describe());
  const std::string by = given.Find(1) ? given.Text(1) : "key";
  if (by != "key" && by != "value") throw Error("'dictsort' sorts by 'key' or 'value'");
  Values items;
  call.budget.Charge(4 * call.value.pairs().size());
  for (const auto& [key, item] : call.value.pairs())
    items.push_back(Value::MakeList({key, item}, Sequence::kTuple));
  const Value place = int64_t(by == "key" ? 0 : 1);
  const SortKey key(&place, given.Flag(0, false), call.budget);
  Values sorted;
  for (auto& [unused, item] : SortedByKey(items, key, given.Flag(2, false), call.budget))
    sorted.push_back(std::move(item));
  return Value::MakeList(std::move(sorted));
}

Value UniqueFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"case_sensitive", "attribute"});
  const SortKey key(given.Find(1), given.Flag(0, false), call.budget);
  Values seen, kept;
  for (const Value& item : Iterate(call.value, call.budget)) {
    Value found = key.Of(item);
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Value& other) { return Equal(found, other, call.budget); }))
      continue;
    seen.push_back(std::move(found));
    kept.push_back(item);
  }
  return Value::MakeList(std::move(kept), Sequence::kIterator);
}

template <bool kMax>
Value ExtremeFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"case_sensitive", "attribute"});
  const SortKey key(given.Find(1), given.Flag(0, false), call.budget);
  std::optional<std::pair<Value, Value>> best;
  for (const Value& item : Iterate(call.value, call.budget)) {
    Value found = key.Of(item);
    if (!best || (kMax ? Less(best->first, found, call.budget) : Less(found, best->first, call.budget)))
      best = {std::move(found), item};
  }
  return best ? best->second : Value::MakeUndefined("the " + call.name + " of nothing");
}

Value SumFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"attribute", "start"});
  Value total = given.Find(1) ? *given.Find(1) : Value(int64_t(0));
  const bool by_attribute = given.Find(0) && !given.Find(0)->IsNone();
  for (const Value& item : Iterate(call.value, call.budget)) {
    const Value term = by_attribute ? AttributePath(*given.Find(0), call.budget).Of(item) : item;
    total = Arithmetic("+", total, term, call.budget);
  }
  return total;
}

Value JoinFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"d", "attribute"});
  const std::string separator = given.Find(0) ? ToText(*given.Find(0), call.budget) : "";
  const bool by_attribute = given.Find(1) && !given.Find(1)->IsNone();
  std::string text;
  bool first = true;
  for (const Value& item : Iterate(call.value, call.budget)) {
    if (!std::exchange(first, false)) {
      call.budget.ChargeBytes(separator.size());
      text += separator;
    }
    text += ToText(by_attribute ? AttributePath(*given.Find(1), call.budget).Of(item) : item, call.budget);
  }
  return text;
}

Value FirstFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  const Values items = Iterate(call.value, call.budget);
  return items.empty() ? Value::MakeUndefined("the first of nothing") : items.front();
}

Value LastFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  const Values items = Iterate(call.value, call.budget);
  return items.empty() ? Value::MakeUndefined("the last of nothing") : items.back();
}

Value ListFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  return Value::MakeList(Iterate(call.value, call.budget));
}

Value ItemsFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  Values items;
  if (!call.value.IsDict() && !call.value.IsUndefined())
    throw Error("'items' needs a dictionary, found ", call.value.Describe());
  if (call.value.IsDict()) {
    call.budget.Charge(4 * call.value.pairs().size());
    for (const auto& [key, item] : call.value.pairs())
      items.push_back(Value::MakeList({key, item}, Sequence::kTuple));
  }
  return Value::MakeList(std::move(items), Sequence::kIterator);
}

Value ReverseFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  Values items = Iterate(call.value, call.budget);
  std::reverse(items.begin(), items.end());
  if (!call.value.IsString()) return Value::MakeList(std::move(items), Sequence::kIterator);
  std::string text;
  for (const Value& item : items) text += item.string();
  return text;
}

Value DefaultFilter(const Call& call) {
  const Parameters given(call.name, call.arguments, {"default_value", "boolean"});
  if (!call.value.IsUndefined() && (!given.Flag(1, false) || call.value.Truth())) return call.value;
  return given.Find(0) ? *given.Find(0) : Value("");
}

// The first positional argument, which names a filter or test, taken off the others.
std::string TakeName(const Call& call) {
  Values& positional = call.arguments.positional;
  if (positional.empty() || !positional[0].IsString())
    throw Error("'", call.name, "' needs the name of a filter or test");
  std::string name = positional[0].string();
  positional.erase(positional.begin());
  return name;
}

// As Jinja does for map, select and the like: whatever is false, such as none, has no items.
Values IterateOrNone(const Call& call) {
  return call.value.Truth() ? Iterate(call.value, call.budget) : Values{};
}

Value MapFilter(const Call& call) {
  Values mapped;
  const Values items = IterateOrNone(call);
  if (call.arguments.positional.empty()) {
    const Parameters given(call.name, call.arguments, {"attribute", "default"});
    const AttributePath path(given.Require(0), call.budget);
    for (const Value& item : items) {
      Value found = path.Of(item);
      mapped.push_back(found.IsUndefined() && given.Find(1) ? *given.Find(1) : std::move(found));
    }
  } else {
    const std::string name = TakeName(call);
    for (const Value& item : items) {
      Arguments arguments = call.arguments;
      mapped.push_back(ApplyFilter(name, item, arguments, call.budget));
    }
  }
  return Value::MakeList(std::move(mapped), Sequence::kIterator);
}

// select, reject, selectattr, rejectattr.
template <bool kByAttribute, bool kKeep>
Value SelectFilter(const Call& call) {
  std::optional<AttributePath> path;
  if (kByAttribute) {
    if (call.arguments.positional.empty()) throw Error("'", call.name, "' needs an attribute");
    path.emplace(call.arguments.positional[0], call.budget);
    call.arguments.positional.erase(call.arguments.positional.begin());
  }
  const std::optional<std::string> test =
      call.arguments.positional.empty() ? std::nullopt : std::optional(TakeName(call));
  Values kept;
  for (const Value& item : IterateOrNone(call)) {
    const Value tested = path ? path->Of(item) : item;
    Arguments arguments = call.arguments;
    const bool holds = test ? ApplyTest(*test, tested, arguments, call.budget) : tested.Truth();
    if (holds == kKeep) kept.push_back(item);
  }
  return Value::MakeList(std::move(kept), Sequence::kIterator);
}

const std::map<std::string, Filter, std::less<>>& Filters() {
  static const std::map<std::string, Filter, std::less<>> filters = {
      {"abs", AbsFilter},
      {"capitalize", ConvertFilter<Capitalize>},
      {"count", LengthFilter},
      {"d", DefaultFilter},
      {"default", DefaultFilter},
      {"dictsort", DictSortFilter},
      {"e", EscapeFilter},
      {"escape", EscapeFilter},
      {"first", FirstFilter},
      {"float", FloatFilter},
      {"indent", IndentFilter},
      {"int", IntFilter},
      {"items", ItemsFilter},
      {"join", JoinFilter},
      {"last", LastFilter},
      {"length", LengthFilter},
      {"list", ListFilter},
      {"lower", ConvertFilter<Lower>},
      {"map", MapFilter},
      {"max", ExtremeFilter<true>},
      {"min", ExtremeFilter<false>},
      {"reject", SelectFilter<false, false>},
      {"rejectattr", SelectFilter<true, false>},
      {"replace", ReplaceFilter},
      {"reverse", ReverseFilter},
      {"round", RoundFilter},
      {"safe", SafeFilter},
      {"select", SelectFilter<false, true>},
      {"selectattr", SelectFilter<true, true>},
      {"sort", SortFilter},
      {"string", StringFilter},
      {"sum", SumFilter},
      {"title", ConvertFilter<TitleOfFilter>},
      {"tojson", ToJsonFilter},
      {"trim", TrimFilter},
      {"unique", UniqueFilter},
      {"upper", ConvertFilter<Upper>},
  };
  return filters;
}

}  // namespace

Value ApplyFilter(const std::string& name, const Value& value, Arguments& arguments, Budget& budget) {
  budget.Charge(1 + arguments.positional.size());
  const auto found = Filters().find(name);
  if (found == Filters().end()) throw Error("the filter '", name.substr(0, 80), "' is not supported");
  return found->second({name, value, arguments, budget});
}

}  // namespace addend::jinja
