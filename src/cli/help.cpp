#include "cli/help.h"

#include <algorithm>

#include "base/version.h"
#include "cli/output.h"

namespace addend {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kTextColumn = 29;  // where descriptions begin

// `text` broken at spaces into lines that end before column kWidth; all but the first begin at `indent`.
std::string Wrapped(const std::string& text, size_t indent) {
  std::string lines;
  size_t column = indent, at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const size_t length = end - at;
    if (column > indent && column + 1 + length >= kWidth) {
      lines += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines.append(text, at, length);
    column += length;
    at = end + 1;
  }
  return lines;
}

std::string Row(std::string left, const std::string& text) {
  left = "  " + left;
  if (left.size() + 2 > kTextColumn) {
    left += "\n" + std::string(kTextColumn, ' ');
  } else {
    left.resize(kTextColumn, ' ');
  }
  return left + Wrapped(text, kTextColumn) + "\n";
}

// "MODEL or -m, --model PATH", "--bits N", "--json"
std::string OptionNames(const CLI::Option& option) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  if (option.get_positional()) add(option.get_name(/*positional=*/true));
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  const bool takes_value = option.get_items_expected_max() > 0;
  if (takes_value && option.nonpositional()) names += " " + option.get_type_name();
  return names;
}

std::string Description(const CLI::Option& option) {
  const std::string value = option.get_default_str();
  return option.get_description() + (value.empty() ? "" : " [" + value + "]");
}

}  // namespace

std::string ProgramHelp() {
  std::string text = Wrapped(
      "addend compresses language models of the Llama family to 0.5-2.5 bits per weight by Double Binary "
      "Factorization, and runs them on CPUs.",
      0);
  text += "\n\nUsage: addend COMMAND [arguments]\n\nCommands:\n";
  for (const Command& command : Commands())
    text += Row(std::string(command.name), std::string(command.summary));
  text += "\n";
  text += Row("COMMAND --help", "what a command takes");
  text += Row("--version", std::string("prints the version: ") + kVersion);
  text += "\nExit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted.\n";
  text +=
      "\nExamples:\n"
      "  addend compress SmolLM2-135M-Instruct --bits 1.0 -o model.gguf\n"
      "  addend chat model.gguf\n"
      "  addend run model.gguf -p \"The capital of France is\"\n";
  return text;
}

std::string CommandHelp(const Command& command, const CLI::App& app) {
  std::string text = "addend " + std::string(command.name) + ": " + std::string(command.summary) + "\n\n";
  text += "Usage: addend " + std::string(command.name) + " " + std::string(command.arguments) + "\n";
  for (const std::string& group : app.get_groups()) {
    text += "\n" + group + ":\n";
    const auto in_group = [&](const CLI::Option* option) { return option->get_group() == group; };
    for (const CLI::Option* option : app.get_options(in_group)) {
      text += Row(OptionNames(*option), Description(*option));
    }
  }
  if (!app.get_footer().empty()) text += "\n" + app.get_footer() + "\n";
  return text;
}

}  // namespace addend
