// The values that a Jinja template computes with: Python's, as far as templates see them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace addend::jinja {

// Templates come from files that nobody checked. What one rendering may use, in all; more is an Error.
struct Limits {
  static constexpr size_t kSourceBytes = 1 << 20;
  static constexpr size_t kParseDepth = 400;  // parentheses, blocks in blocks, operators in one chain
  static constexpr size_t kCallDepth = 1000;  // expressions and statements that wait for one another
  static constexpr size_t kValueDepth = 100;  // lists in lists
  static constexpr size_t kArguments = 64;    // of one call
  static constexpr size_t kRange = 100000;    // Hugging Face's sandbox has the same
  static constexpr uint64_t kWork = 20'000'000;
};

// Counts work; whoever makes or looks through something of n bytes or items charges for it before.
class Budget {
 public:
  void Charge(uint64_t steps) {
    if (steps > left_) Exhausted();
    left_ -= steps;
  }
  void ChargeBytes(uint64_t bytes) { Charge(1 + bytes / 8); }

 private:
  [[noreturn]] static void Exhausted();
  uint64_t left_ = Limits::kWork;
};

class Value;
using Values = std::vector<Value>;
using NamedValues = std::vector<std::pair<std::string, Value>>;

struct Arguments {
  Values positional;
  NamedValues named;
};

// What an undefined value was called, for the message of whoever needs it.
struct Undefined {
  std::shared_ptr<const std::string> what;
};
struct None {};

// kIterator: what filters such as map give: it can be walked through, has no length and is always true.
enum class Sequence { kList, kTuple, kIterator };

struct Text {
  std::string text;
  bool is_markup = false;  // from |safe or |escape: what is added to it gets escaped
};
struct List;
struct Dict;
struct Namespace;
struct Callable;

// Cheap to copy. Strings, lists and dictionaries never change (Hugging Face's sandbox forbids it), so values
// form no cycles. Only a namespace changes; it belongs to the rendering and is opaque to all but attributes.
class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(None) : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string value) : data_(std::make_shared<const Text>(Text{std::move(value)})) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(Namespace* value) : data_(value) {}
  Value(std::shared_ptr<const Callable> value) : data_(std::move(value)) {}
  static Value MakeUndefined(std::string what);
  static Value MakeMarkup(std::string text);
  // Throw Error when the result is nested too deeply.
  static Value MakeList(Values items, Sequence kind = Sequence::kList);
  static Value MakeDict(std::vector<std::pair<Value, Value>> items);  // keys are different from one another
  static Value FromJson(const Json& json, Budget& budget);

  bool IsUndefined() const { return std::holds_alternative<Undefined>(data_); }
  bool IsNone() const { return std::holds_alternative<None>(data_); }
  bool IsBool() const { return std::holds_alternative<bool>(data_); }
  bool IsInteger() const { return std::holds_alternative<int64_t>(data_); }  // not of a boolean
  bool IsFloat() const { return std::holds_alternative<double>(data_); }
  bool IsNumber() const { return IsBool() || IsInteger() || IsFloat(); }
  bool IsString() const { return std::holds_alternative<std::shared_ptr<const Text>>(data_); }
  bool IsMarkup() const { return IsString() && std::get<std::shared_ptr<const Text>>(data_)->is_markup; }
  bool IsSequence() const { return std::holds_alternative<std::shared_ptr<const List>>(data_); }
  bool IsIterator() const;
  bool IsTuple() const;
  bool IsDict() const { return std::holds_alternative<std::shared_ptr<const Dict>>(data_); }
  bool IsCallable() const { return std::holds_alternative<std::shared_ptr<const Callable>>(data_); }
  bool IsIterable() const { return IsUndefined() || IsString() || IsSequence() || IsDict(); }

  // Only for a value of that kind.
  const std::string& string() const { return std::get<std::shared_ptr<const Text>>(data_)->text; }
  const Values& items() const;
  const std::vector<std::pair<Value, Value>>& pairs() const;
  const Callable& callable() const { return *std::get<std::shared_ptr<const Callable>>(data_); }
  Namespace* AsNamespace() const;  // null for other kinds
  double AsDouble() const;         // of a number
  int64_t AsInteger() const;       // of a boolean or integer

  bool Truth() const;
  // "str", "int", ...: as Python calls it in messages.
  std::string TypeName() const;
  // "'name' is undefined" or "a list", for messages about a value that does not fit.
  std::string Describe() const;
  size_t depth() const;

  // The value of a key, or null. Other kinds than dictionaries have none.
  const Value* Find(const Value& key, Budget& budget) const;
  const Value* FindKey(std::string_view key, Budget& budget) const;

 private:
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Namespace*,
               std::shared_ptr<const Callable>>
      data_;
};

struct List {
  Values items;
  Sequence kind = Sequence::kList;
  size_t depth = 1;
};
struct Dict {
  std::vector<std::pair<Value, Value>> pairs;  // in the order of insertion
  size_t depth = 1;
};
struct Namespace {
  std::map<std::string, Value> attributes;
};
// A macro, a global function or a method with its object.
struct Callable {
  std::string name;
  std::function<Value(Arguments&, Budget&)> call;
  size_t depth = 1;
};

// 'name', cut if it is long, for messages.
std::string Quoted(std::string_view name);

// Python's ==. 1, 1.0 and True are equal; values of different kinds are not.
bool Equal(const Value& a, const Value& b, Budget& budget);
// Python's <, for numbers, strings and sequences; throws Error for others.
bool Less(const Value& a, const Value& b, Budget& budget);
// Python's `needle in haystack`.
bool Contains(const Value& haystack, const Value& needle, Budget& budget);
// What a loop goes through: items, keys, characters; nothing for an undefined value. Throws Error for others.
Values Iterate(const Value& value, Budget& budget);

// Python's str() and repr(). A namespace has no text: Error.
std::string ToText(const Value& value, Budget& budget);
std::string ToRepr(const Value& value, Budget& budget);
// Python's json.dumps(ensure_ascii=False), as Hugging Face's filter `tojson` calls it.
struct JsonStyle {
  int indent = -1;  // spaces; negative for one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
  bool ascii = false;  // other characters as \u and four digits
};
std::string ToJson(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace addend::jinja
