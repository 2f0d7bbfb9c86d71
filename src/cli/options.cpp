#include "cli/options.h"

#include <cstdio>
#include <limits>

#include "kernels/target.h"

namespace addend {
namespace {

bool SameFile(const Path& a, const Path& b) {
  std::error_code missing;  // then they are not the same
  return std::filesystem::equivalent(a, b, missing);
}

// Is `file` an entry of `folder`, or what one links to?
bool IsEntryOf(const Path& folder, const Path& file) {
  std::error_code no_folder;
  for (std::filesystem::directory_iterator entry(folder, no_folder), end; !no_folder && entry != end;
       entry.increment(no_folder)) {
    if (SameFile(entry->path(), file)) return true;
  }
  return false;
}

}  // namespace

Progress CommonOptions::ConsoleProgress() const {
  return quiet ? Progress() : addend::ConsoleProgress(stderr);
}

void AddTargetOption(CLI::App& app) {
  const auto force = [](const std::string& name) { AsUsage([&] { ForceTarget(name); }); };
  CLI::Option* target = app.add_option_function<std::string>("--target", force, "kernels")
                            ->type_name("NAME")
                            ->default_str("best");
  OfferChoices(target, TargetNames());
}

void AddCommonOptions(CLI::App& app, CommonOptions& options) {
  app.option_defaults()->group("General");
  AddNumber(app, "-t,--threads", options.threads, {0, kMostThreads}, "threads; 0 = one for each CPU");
  AddTargetOption(app);
  AddFlag(app, "--quiet", options.quiet, "no progress, no notes");
}

CLI::Option* AddModel(CLI::App& app, Path& model, const std::string& help) {
  return AddPath(app, "-m,--model,MODEL", model, help)->required();
}

void CheckOutputFolder(const std::vector<Path>& inputs, const Path& out) {
  for (const Path& input : inputs) {
    if (SameFile(input, out)) {
      throw Error(out.string(), ": is the source itself; give the output another name");
    }
  }
  std::error_code failure;
  const Path folder = std::filesystem::absolute(out, failure).parent_path();
  if (!std::filesystem::is_directory(folder, failure)) {
    throw Error(out.string(), ": cannot write: there is no folder ", folder.string());
  }
}

void CheckOutput(const std::vector<Path>& inputs, const Path& out) {
  CheckOutputFolder(inputs, out);
  for (const Path& input : inputs) {
    if (IsEntryOf(input, out)) {
      throw Error(out.string(), ": is part of the source ", input.string(), "; give the output another name");
    }
  }
  const AtomicFile attempt(out);  // removed without Commit
}

CLI::Option* AddPath(CLI::App& app, const std::string& names, Path& value, const std::string& help) {
  const auto set = [names, &value](const std::string& text) {
    if (text.empty()) throw UsageError(names, ": the name is empty");
    value = text;
  };
  return app.add_option_function<std::string>(names, set, help)->type_name("PATH");
}

CLI::Option* AddFlag(CLI::App& app, const std::string& names, bool& value, const std::string& help) {
  return app.add_flag_callback(
      names, [&value] { value = true; }, help);
}

CLI::Option* AddJson(CLI::App& app, bool& json) {
  return AddFlag(app, "--json", json, "the result as JSON");
}

CLI::Option* AddText(CLI::App& app, const std::string& names, std::optional<std::string>& value,
                     const std::string& help) {
  return app
      .add_option_function<std::string>(
          names, [&value](const std::string& text) { value = text; }, help)
      ->type_name("TEXT");
}

// CLI11 keeps them where it keeps what it checks itself: as the description of a validator, which it puts
// behind the type: "NAME:bash, zsh".
CLI::Option* OfferChoices(CLI::Option* option, const std::vector<std::string>& choices) {
  const auto accept = [](const std::string&) { return std::string(); };
  return option->check(CLI::Validator(accept, Joined(choices), "choices"));
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::vector<std::string> choices;
  constexpr std::string_view kBetween = ", ";
  for (size_t at = type.find(':'); at != type.npos;) {
    const size_t begin = at + (choices.empty() ? 1 : kBetween.size());
    at = type.find(kBetween, begin);
    choices.push_back(type.substr(begin, at - begin));
  }
  return choices;
}

std::string ValueName(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string TextSource::Read() const {
  if (text) return *text;
  if (!file.empty()) return ReadTextFile(file);
  throw UsageError("no text: give it as an argument, or a file with -f");
}

void AddTextSource(CLI::App& app, const std::string& names, TextSource& source, const std::string& help) {
  CLI::Option* text = AddText(app, names, source.text, help);
  AddPath(app, "-f,--file", source.file, "the text from a file; - reads standard input")->excludes(text);
}

namespace {

// number * unit. Throws UsageError that `text` is not `expected`, unless it is one within [least, most].
double ParseWithUnit(std::string_view option, std::string_view text, std::string_view number, double unit,
                     Range<double> range, const char* expected) {
  try {
    return unit * ParseNumber<double>(option, number, {range.least / unit, range.most / unit});
  } catch (const UsageError&) {
    throw UsageError(option, ": '", text, "' is not ", expected);
  }
}

using ParseValue = double (*)(std::string_view option, std::string_view text);
CLI::Option* AddWithUnit(CLI::App& app, const std::string& names, std::optional<double>& value,
                         const std::string& help, ParseValue parse, const char* type) {
  const auto set = [names, &value, parse](const std::string& text) { value = parse(names, text); };
  return app.add_option_function<std::string>(names, set, help)->type_name(type);
}

}  // namespace

double ParseDuration(std::string_view option, std::string_view text) {
  constexpr double kLongest = 1e9;  // seconds: 30 years
  double unit = 1;
  std::string_view number = text;
  if (!text.empty()) {
    const char last = text.back();
    if (last == 'm') unit = 60;
    if (last == 'h') unit = 3600;
    if (last == 's' || last == 'm' || last == 'h') number.remove_suffix(1);
  }
  return ParseWithUnit(option, text, number, unit, {0, kLongest}, "a duration like 90, 90s, 5m or 2h");
}

CLI::Option* AddDuration(CLI::App& app, const std::string& names, std::optional<double>& seconds,
                         const std::string& help) {
  return AddWithUnit(app, names, seconds, help, ParseDuration, "TIME");
}

double ParseSize(std::string_view option, std::string_view text) {
  double unit = 1;
  std::string_view number = text;
  if (number.ends_with('B')) number.remove_suffix(1);
  for (const auto& [letter, factor] : {std::pair('k', 1e3), std::pair('M', 1e6), std::pair('G', 1e9)}) {
    if (!number.ends_with(letter)) continue;
    unit = factor;
    number.remove_suffix(1);
    break;
  }
  return ParseWithUnit(option, text, number, unit, {1, 1e15}, "a size like 500000, 800kB, 30MB or 1.2G");
}

CLI::Option* AddSize(CLI::App& app, const std::string& names, std::optional<double>& bytes,
                     const std::string& help) {
  return AddWithUnit(app, names, bytes, help, ParseSize, "BYTES");
}

void AddKvType(CLI::App& app, DType& type) {
  AddChoice(app, "--kv-type", type, {{"f16", DType::kF16}, {"q8_0", DType::kQ8_0}, {"f32", DType::kF32}},
            "of the keys and values in memory");
}

}  // namespace addend
