#include "chat/jinja_globals.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "chat/jinja_operators.h"

namespace addend::jinja {
namespace {

using Function = std::function<Value(Arguments&, Budget&)>;

std::pair<std::string, Value> MakeFunction(const std::string& name, Function function) {
  auto callable = std::make_shared<Callable>();
  callable->name = name;
  callable->call = std::move(function);
  return {name, Value(std::shared_ptr<const Callable>(std::move(callable)))};
}

Value Range(Arguments& arguments, Budget& budget) {
  const Parameters given("range", arguments, {"start", "stop", "step"});
  given.Require(0);
  const int64_t first = given.Find(1) ? given.Integer(0, 0) : 0;
  const int64_t stop = given.Find(1) ? given.Integer(1, 0) : given.Integer(0, 0);
  const int64_t step = given.Integer(2, 1);
  if (step == 0) throw Error("'range' with step 0");
  Values items;
  for (int64_t at = first; step > 0 ? at < stop : at > stop;) {
    if (items.size() == Limits::kRange) throw Error("'range' of more than ", Limits::kRange, " numbers");
    budget.Charge(4);
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return Value::MakeList(std::move(items));
}

// The keys and values of one dictionary and of the named arguments, as Python's dict() takes them.
std::vector<std::pair<Value, Value>> Pairs(const std::string& function, Arguments& arguments) {
  std::vector<std::pair<Value, Value>> pairs;
  if (arguments.positional.size() > 1) throw Error("'", function, "' takes one dictionary");
  if (!arguments.positional.empty()) {
    if (!arguments.positional[0].IsDict())
      throw Error("'", function, "' needs a dictionary, found ", arguments.positional[0].Describe());
    pairs = arguments.positional[0].pairs();
  }
  for (const auto& [name, value] : arguments.named) {
    const auto same = [&, &key = name](const auto& pair) {
      return pair.first.IsString() && pair.first.string() == key;
    };
    const auto found = std::find_if(pairs.begin(), pairs.end(), same);
    if (found != pairs.end()) {
      found->second = value;
    } else {
      pairs.emplace_back(name, value);
    }
  }
  return pairs;
}

Value MakeDict(Arguments& arguments, Budget& budget) {
  auto pairs = Pairs("dict", arguments);
  budget.Charge(4 * pairs.size());
  return Value::MakeDict(std::move(pairs));
}

Value RaiseException(Arguments& arguments, Budget& budget) {
  const Parameters given("raise_exception", arguments, {"message"});
  throw Error("the template refuses: ", ToText(given.Require(0), budget));
}

Value StrftimeNow(Arguments& arguments, Budget& budget, std::time_t now) {
  const Parameters given("strftime_now", arguments, {"format"});
  const std::string& format = given.Text(0);
  budget.Charge(1000);
  if (format.size() > 200) throw Error("'strftime_now' with a format of more than 200 bytes");
  // glibc also knows field widths such as %999999d; only what Python documents may pass.
  constexpr std::string_view kConversions = "aAwdbBmyYHIpMSzZjUWcxX%GuVeDFTR";
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (format.substr(i + 1, 1) == "-") ++i;  // no zero in front
    if (++i >= format.size() || kConversions.find(format[i]) == std::string_view::npos)
      throw Error("'strftime_now' does not support the format '", format, "'");
  }
  std::tm local{};
  localtime_r(&now, &local);
  std::string text(200 * 64, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  return text;
}

}  // namespace

NamedValues GlobalFunctions(std::time_t now, std::deque<Namespace>& namespaces) {
  return {
      MakeFunction("range", Range),
      MakeFunction("dict", MakeDict),
      MakeFunction("raise_exception", RaiseException),
      MakeFunction("strftime_now", [now](Arguments& arguments,
                                         Budget& budget) { return StrftimeNow(arguments, budget, now); }),
      MakeFunction("namespace",
                   [&namespaces](Arguments& arguments, Budget& budget) {
                     budget.Charge(20);
                     Namespace space;
                     for (auto& [key, value] : Pairs("namespace", arguments)) {
                       budget.Charge(20);
                       space.attributes.insert_or_assign(ToText(key, budget), std::move(value));
                     }
                     return Value(&namespaces.emplace_back(std::move(space)));
                   }),
  };
}

}  // namespace addend::jinja
