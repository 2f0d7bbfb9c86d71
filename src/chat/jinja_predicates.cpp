// Jinja's tests: what stands behind "is".
#include <algorithm>
#include <map>

#include "base/error.h"
#include "chat/jinja_filters.h"
#include "chat/jinja_operators.h"
#include "chat/jinja_strings.h"

namespace addend::jinja {
namespace {

using Test = bool (*)(const Value& value, const Value& argument, Budget& budget);

struct TestEntry {
  bool has_argument;
  Test holds;
};

int64_t IntegerOf(const Value& value) {
  if (!value.IsInteger() && !value.IsBool()) throw Error("an integer is needed, found ", value.Describe());
  return value.AsInteger();
}

int64_t Remainder(const Value& value, int64_t divisor) {
  if (divisor == 0) throw Error("division by zero");
  return divisor == -1 ? 0 : IntegerOf(value) % divisor;
}

bool IsCase(const Value& value, std::string (*convert)(std::string_view),
            std::string (*other)(std::string_view), Budget& budget) {
  const std::string text = ToText(value, budget);
  budget.Charge(text.size());
  return convert(text) == text && other(text) != text;
}

bool Same(const Value& a, const Value& b, Budget& budget) {
  return a.TypeName() == b.TypeName() && Equal(a, b, budget);
}

#define ADDEND_TEST(condition)                                            \
  [](const Value& value, const Value& argument, Budget& budget) -> bool { \
    (void)value, (void)argument, (void)budget;                            \
    return condition;                                                     \
  }

const std::map<std::string, TestEntry, std::less<>>& Tests() {
  static const Test equal = ADDEND_TEST(Equal(value, argument, budget));
  static const Test unequal = ADDEND_TEST(!Equal(value, argument, budget));
  static const Test less = ADDEND_TEST(Less(value, argument, budget));
  static const Test greater = ADDEND_TEST(Less(argument, value, budget));
  static const Test at_most = ADDEND_TEST(Less(value, argument, budget) || Equal(value, argument, budget));
  static const Test at_least = ADDEND_TEST(Less(argument, value, budget) || Equal(value, argument, budget));
  static const std::map<std::string, TestEntry, std::less<>> tests = {
      {"defined", {false, ADDEND_TEST(!value.IsUndefined())}},
      {"undefined", {false, ADDEND_TEST(value.IsUndefined())}},
      {"none", {false, ADDEND_TEST(value.IsNone())}},
      {"boolean", {false, ADDEND_TEST(value.IsBool())}},
      {"true", {false, ADDEND_TEST(value.IsBool() && value.Truth())}},
      {"false", {false, ADDEND_TEST(value.IsBool() && !value.Truth())}},
      {"integer", {false, ADDEND_TEST(value.IsInteger())}},
      {"float", {false, ADDEND_TEST(value.IsFloat())}},
      {"number", {false, ADDEND_TEST(value.IsNumber())}},
      {"string", {false, ADDEND_TEST(value.IsString())}},
      {"mapping", {false, ADDEND_TEST(value.IsDict())}},
      {"iterable", {false, ADDEND_TEST(value.IsIterable())}},
      {"sequence", {false, ADDEND_TEST(value.IsIterable() && !value.IsIterator())}},
      {"callable", {false, ADDEND_TEST(value.IsCallable())}},
      {"odd", {false, ADDEND_TEST(Remainder(value, 2) != 0)}},
      {"even", {false, ADDEND_TEST(Remainder(value, 2) == 0)}},
      {"divisibleby", {true, ADDEND_TEST(Remainder(value, IntegerOf(argument)) == 0)}},
      {"upper", {false, ADDEND_TEST(IsCase(value, Upper, Lower, budget))}},
      {"lower", {false, ADDEND_TEST(IsCase(value, Lower, Upper, budget))}},
      {"in", {true, ADDEND_TEST(Contains(argument, value, budget))}},
      {"sameas", {true, ADDEND_TEST(Same(value, argument, budget))}},
      {"equalto", {true, equal}},
      {"eq", {true, equal}},
      {"==", {true, equal}},
      {"ne", {true, unequal}},
      {"!=", {true, unequal}},
      {"lessthan", {true, less}},
      {"lt", {true, less}},
      {"<", {true, less}},
      {"greaterthan", {true, greater}},
      {"gt", {true, greater}},
      {">", {true, greater}},
      {"le", {true, at_most}},
      {"<=", {true, at_most}},
      {"ge", {true, at_least}},
      {">=", {true, at_least}},
  };
  return tests;
}

#undef ADDEND_TEST

}  // namespace

bool ApplyTest(const std::string& name, const Value& value, Arguments& arguments, Budget& budget) {
  budget.Charge(1);
  const auto found = Tests().find(name);
  if (found == Tests().end()) throw Error("the test 'is ", name.substr(0, 80), "' is not supported");
  if (!found->second.has_argument) {
    const Parameters given(name, arguments, {});
    return found->second.holds(value, Value(), budget);
  }
  const Parameters given(name, arguments, {"other"});
  return found->second.holds(value, given.Require(0), budget);
}

}  // namespace addend::jinja
