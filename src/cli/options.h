// Options that several commands share, and how values are read: strictly, and when one is not as it should
// be, with a message that says what is.
#pragma once
#include <CLI/CLI.hpp>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/progress.h"
#include "tensor/dtype.h"

namespace addend {

// The command was not called as it wants to be: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Runs `check`; what it finds wrong is wrong usage.
template <typename Check>
void AsUsage(Check&& check) {
  try {
    std::forward<Check>(check)();
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

inline constexpr size_t kMostThreads = 1024;

struct CommonOptions {
  size_t threads = 0;  // 0 = one for each available CPU
  bool quiet = false;

  Progress ConsoleProgress() const;  // to stderr; none when quiet
};
// --threads, --target, --quiet.
void AddCommonOptions(CLI::App& app, CommonOptions& options);
// --target alone, which takes effect when it is parsed.
void AddTargetOption(CLI::App& app);

// The model, as the first argument or behind -m; required.
CLI::Option* AddModel(CLI::App& app, Path& model, const std::string& help);
// Before any work: throws Error when a file cannot be written as `out`, or would replace an input or a file
// in one that is a folder. Changes nothing.
void CheckOutput(const std::vector<Path>& inputs, const Path& out);
// The same for a folder that is to be made or filled; files in it are not looked at.
void CheckOutputFolder(const std::vector<Path>& inputs, const Path& out);

CLI::Option* AddPath(CLI::App& app, const std::string& names, Path& value, const std::string& help);
CLI::Option* AddFlag(CLI::App& app, const std::string& names, bool& value, const std::string& help);
CLI::Option* AddJson(CLI::App& app, bool& json);  // --json, for PrintResult
CLI::Option* AddText(CLI::App& app, const std::string& names, std::optional<std::string>& value,
                     const std::string& help);

// Names what a value may be, for the help and for completions. Checks nothing: that is the reader's work.
CLI::Option* OfferChoices(CLI::Option* option, const std::vector<std::string>& choices);
std::vector<std::string> ChoicesOf(const CLI::Option& option);  // empty: none were offered
std::string ValueName(const CLI::Option& option);               // "PATH", "N", ...

// A text, given as an argument or as a file with -f ("-" = standard input).
struct TextSource {
  std::optional<std::string> text;
  Path file;

  std::string Read() const;  // throws UsageError when neither is given
};
// Under `names` (with a positional one where the command has it) and -f; they exclude each other.
void AddTextSource(CLI::App& app, const std::string& names, TextSource& source, const std::string& help);

// "90", "90s", "1.5m", "2h" -> seconds. Throws UsageError, which begins with `option`.
double ParseDuration(std::string_view option, std::string_view text);
CLI::Option* AddDuration(CLI::App& app, const std::string& names, std::optional<double>& seconds,
                         const std::string& help);

// "30MB", "1.2G", "500000" -> bytes; k, M and G are powers of 1000. Throws UsageError, which begins with
// `option`.
double ParseSize(std::string_view option, std::string_view text);
CLI::Option* AddSize(CLI::App& app, const std::string& names, std::optional<double>& bytes,
                     const std::string& help);

template <typename T>
struct Range {
  T least, most;
};

// All of `text` as a decimal number within the range. Throws UsageError, which begins with `option`.
template <typename T>
T ParseNumber(std::string_view option, std::string_view text, Range<T> range) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole_text = error == std::errc() && end == text.data() + text.size();
  if (whole_text && value >= range.least && value <= range.most) return value;  // not so for NaN
  throw UsageError(option, ": '", text, "' is not a ", std::is_integral_v<T> ? "whole " : "", "number from ",
                   range.least, " to ", range.most);
}

// What the two below share; the help shows no default.
template <typename Number, typename T>
CLI::Option* AddNumberInto(CLI::App& app, const std::string& names, T& value, Range<Number> range,
                           const std::string& help) {
  const auto parse = [names, range, &value](const std::string& text) {
    value = ParseNumber<Number>(names, text, range);
  };
  return app.add_option_function<std::string>(names, parse, help)->type_name("N");
}

// One that may stay unset.
template <typename T>
CLI::Option* AddNumber(CLI::App& app, const std::string& names, std::optional<T>& value,
                       std::type_identity_t<Range<T>> range, const std::string& help) {
  return AddNumberInto(app, names, value, range, help);
}

// The help shows the value that is there now as the default.
template <typename T>
CLI::Option* AddNumber(CLI::App& app, const std::string& names, T& value,
                       std::type_identity_t<Range<T>> range, const std::string& help) {
  return AddNumberInto(app, names, value, range, help)->default_str(CLI::detail::to_string(value));
}

template <typename T>
using Choices = std::vector<std::pair<std::string, T>>;

// Values of an enum under their own names.
template <typename T>
Choices<T> ByName(std::initializer_list<T> values) {
  Choices<T> choices;
  for (const T value : values) choices.emplace_back(Name(value), value);
  return choices;
}

// What the two below share: the help lists the names, and shows no default.
template <typename Value, typename T>
CLI::Option* AddChoiceInto(CLI::App& app, const std::string& names, Value& value, const Choices<T>& choices,
                           const std::string& help) {
  const std::string list = Joined(choices, &std::pair<std::string, T>::first);
  const auto parse = [names, choices, list, &value](const std::string& text) {
    for (const auto& [name, choice] : choices) {
      if (name != text) continue;
      value = choice;
      return;
    }
    throw UsageError(names, ": '", text, "' is not one of ", list);
  };
  CLI::Option* option = app.add_option_function<std::string>(names, parse, help)->type_name("NAME");
  std::vector<std::string> offered;
  for (const auto& [name, choice] : choices) offered.push_back(name);
  return OfferChoices(option, offered);
}

// One of a few names, or none.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& names, std::optional<T>& value,
                       const std::type_identity_t<Choices<T>>& choices, const std::string& help) {
  return AddChoiceInto(app, names, value, choices, help);
}

// One of a few names; the one for the value that is there now is the default.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& names, T& value,
                       const std::type_identity_t<Choices<T>>& choices, const std::string& help) {
  std::string now;
  for (const auto& [name, choice] : choices) {
    if (choice == value) now = name;
  }
  return AddChoiceInto(app, names, value, choices, help)->default_str(now);
}

// --kv-type: how KvCache stores.
void AddKvType(CLI::App& app, DType& type);

}  // namespace addend
