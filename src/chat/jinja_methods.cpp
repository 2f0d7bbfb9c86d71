#include "chat/jinja_methods.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "chat/jinja_operators.h"
#include "chat/jinja_strings.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

struct Call {
  const std::string& name;
  const Value& self;
  Arguments& arguments;
  Budget& budget;
};
using Method = Value (*)(const Call&);

template <bool kLeft, bool kRight>
Value StripMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"chars"});
  return Strip(call.self.string(), given.TextOrNull(0), kLeft, kRight, call.budget);
}

template <bool kFromRight>
Value SplitMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"sep", "maxsplit"});
  Values parts;
  for (std::string& part :
       Split(call.self.string(), given.TextOrNull(0), given.Integer(1, -1), kFromRight, call.budget))
    parts.emplace_back(std::move(part));
  return Value::MakeList(std::move(parts));
}

Value SplitLinesMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  Values lines;
  for (std::string& line : SplitLines(call.self.string(), call.budget)) lines.emplace_back(std::move(line));
  return Value::MakeList(std::move(lines));
}

// startswith and endswith: of a string, or of one of a tuple.
template <bool kAtEnd>
Value AffixMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {kAtEnd ? "suffix" : "prefix"});
  const auto fits = [&](const std::string& affix) {
    call.budget.ChargeBytes(affix.size());
    return kAtEnd ? call.self.string().ends_with(affix) : call.self.string().starts_with(affix);
  };
  if (!given.Require(0).IsTuple()) return fits(given.Text(0));
  const Values& choices = given.Require(0).items();
  return std::any_of(choices.begin(), choices.end(),
                     [&](const Value& choice) { return choice.IsString() && fits(choice.string()); });
}

template <bool kAtEnd>
Value RemoveAffixMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {kAtEnd ? "suffix" : "prefix"});
  const std::string& text = call.self.string();
  const std::string& affix = given.Text(0);
  call.budget.ChargeBytes(text.size());
  if (kAtEnd ? !text.ends_with(affix) : !text.starts_with(affix)) return text;
  return kAtEnd ? text.substr(0, text.size() - affix.size()) : text.substr(affix.size());
}

template <std::string (*kConvert)(std::string_view)>
Value ConvertMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  call.budget.Charge(1 + call.self.string().size() / 2);
  return kConvert(call.self.string());
}

Value ReplaceMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"old", "new", "count"});
  return Replace(call.self.string(), given.Text(0), given.Text(1), given.Integer(2, -1), call.budget);
}

template <bool kFromRight>
Value FindTextMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"sub"});
  const std::string& text = call.self.string();
  call.budget.Charge(1 + text.size() / 8 * std::min<size_t>(given.Text(0).size() / 8 + 1, 1024));
  const size_t at = kFromRight ? text.rfind(given.Text(0)) : text.find(given.Text(0));
  if (at == std::string::npos) return int64_t(-1);
  return int64_t(CountCodePoints(std::string_view(text).substr(0, at)));
}

Value CountTextMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"sub"});
  const std::string& text = call.self.string();
  const std::string& part = given.Text(0);
  call.budget.Charge(1 + text.size() / 8 * std::min<size_t>(part.size() / 8 + 1, 1024));
  if (part.empty()) return int64_t(CountCodePoints(text)) + 1;
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

Value JoinMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"iterable"});
  std::string text;
  bool first = true;
  for (const Value& item : Iterate(given.Require(0), call.budget)) {
    if (!item.IsString()) throw Error("'join' needs strings, found ", item.Describe());
    call.budget.ChargeBytes(item.string().size() + call.self.string().size());
    if (!std::exchange(first, false)) text += call.self.string();
    text += item.string();
  }
  return text;
}

// isdigit and others: of all characters, and there is one.
template <bool (*kHolds)(char32_t)>
Value AllMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  const std::string& text = call.self.string();
  call.budget.Charge(1 + text.size() / 2);
  for (size_t at = 0; at < text.size();) {
    if (!kHolds(NextCodePoint(text, at))) return false;
  }
  return !text.empty();
}

bool IsDigitCharacter(char32_t code) {
  return utf8proc_category(utf8proc_int32_t(code)) == UTF8PROC_CATEGORY_ND;
}
bool IsLetter(char32_t code) {
  const auto category = utf8proc_category(utf8proc_int32_t(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool IsLetterOrDigit(char32_t code) {
  return IsLetter(code) || IsDigitCharacter(code);
}

// isupper and islower: equal to its own upper or lower case, and with letters that have cases.
template <std::string (*kConvert)(std::string_view), std::string (*kOther)(std::string_view)>
Value CaseMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  call.budget.Charge(1 + call.self.string().size());
  return kConvert(call.self.string()) == call.self.string() &&
         kOther(call.self.string()) != call.self.string();
}

enum class View { kKeys, kValues, kItems };
template <View kView>
Value ViewMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  call.budget.Charge(4 * call.self.pairs().size());
  Values items;
  for (const auto& [key, value] : call.self.pairs()) {
    if constexpr (kView == View::kKeys) items.push_back(key);
    if constexpr (kView == View::kValues) items.push_back(value);
    if constexpr (kView == View::kItems) items.push_back(Value::MakeList({key, value}, Sequence::kTuple));
  }
  return Value::MakeList(std::move(items));
}

Value GetMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"key", "default"});
  if (const Value* found = call.self.Find(given.Require(0), call.budget)) return *found;
  return given.Find(1) ? *given.Find(1) : Value(None{});
}

Value CopyMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {});
  return call.self;
}

Value CountItemMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"value"});
  return int64_t(std::count_if(call.self.items().begin(), call.self.items().end(), [&](const Value& item) {
    return Equal(item, given.Require(0), call.budget);
  }));
}

Value IndexMethod(const Call& call) {
  const Parameters given(call.name, call.arguments, {"value"});
  const Values& items = call.self.items();
  for (size_t i = 0; i < items.size(); ++i) {
    if (Equal(items[i], given.Require(0), call.budget)) return int64_t(i);
  }
  throw Error("'index': the value is not in the list");
}

Value RefusedMethod(const Call& call) {
  throw Error(
      "'", call.name, "' of ", call.self.Describe(),
      " is not supported: values of chat templates do not change, except by append, extend and pop of "
      "a list in a variable");
}

using Methods = std::map<std::string, Method, std::less<>>;

const Methods& StringMethods() {
  static const Methods methods = {
      {"strip", StripMethod<true, true>},
      {"lstrip", StripMethod<true, false>},
      {"rstrip", StripMethod<false, true>},
      {"split", SplitMethod<false>},
      {"rsplit", SplitMethod<true>},
      {"splitlines", SplitLinesMethod},
      {"startswith", AffixMethod<false>},
      {"endswith", AffixMethod<true>},
      {"removeprefix", RemoveAffixMethod<false>},
      {"removesuffix", RemoveAffixMethod<true>},
      {"upper", ConvertMethod<Upper>},
      {"lower", ConvertMethod<Lower>},
      {"capitalize", ConvertMethod<Capitalize>},
      {"title", ConvertMethod<TitleOfMethod>},
      {"replace", ReplaceMethod},
      {"find", FindTextMethod<false>},
      {"rfind", FindTextMethod<true>},
      {"count", CountTextMethod},
      {"join", JoinMethod},
      {"isdigit", AllMethod<IsDigitCharacter>},
      {"isalpha", AllMethod<IsLetter>},
      {"isalnum", AllMethod<IsLetterOrDigit>},
      {"isspace", AllMethod<IsPythonSpace>},
      {"isupper", CaseMethod<Upper, Lower>},
      {"islower", CaseMethod<Lower, Upper>},
  };
  return methods;
}

const Methods& DictMethods() {
  static const Methods methods = {
      {"keys", ViewMethod<View::kKeys>},
      {"values", ViewMethod<View::kValues>},
      {"items", ViewMethod<View::kItems>},
      {"get", GetMethod},
      {"copy", CopyMethod},
      {"update", RefusedMethod},
      {"pop", RefusedMethod},
      {"setdefault", RefusedMethod},
  };
  return methods;
}

const Methods& ListMethods() {
  static const Methods methods = {
      {"count", CountItemMethod}, {"index", IndexMethod},     {"copy", CopyMethod},
      {"append", RefusedMethod},  {"extend", RefusedMethod},  {"insert", RefusedMethod},
      {"pop", RefusedMethod},     {"reverse", RefusedMethod}, {"sort", RefusedMethod},
  };
  return methods;
}

}  // namespace

Value FindMethod(const Value& value, const std::string& name) {
  if (!value.IsString() && !value.IsDict() && (!value.IsSequence() || value.IsIterator())) return {};
  const Methods& methods = value.IsString() ? StringMethods()
                           : value.IsDict() ? DictMethods()
                                            : ListMethods();
  const auto found = methods.find(name);
  if (found == methods.end()) return {};
  auto callable = std::make_shared<Callable>();
  callable->name = name;
  callable->depth = value.depth() + 1;
  callable->call = [method = found->second, name, value](Arguments& arguments, Budget& budget) {
    return method({name, value, arguments, budget});
  };
  return Value(std::shared_ptr<const Callable>(std::move(callable)));
}

}  // namespace addend::jinja
