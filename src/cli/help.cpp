#include "cli/help.h"

#include <algorithm>

#include "base/version.h"

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

// "MODEL, -m, --model PATH", "--bits N", "--json"
std::string OptionNames(const OptionText& option) {
  std::string names = option.positional;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + name;
  if (!option.value.empty() && !option.names.empty()) names += " " + option.value;
  return names;
}

std::string Examples(const std::vector<std::string>& lines) {
  std::string text = "\nExamples:\n";
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

}  // namespace

std::string ProgramHelp() {
  std::string text = Wrapped("addend " + std::string(kProgramSummary), 0);
  text += "\n\nUsage: addend COMMAND [arguments]\n\nCommands:\n";
  for (const Command& command : Commands()) {
    if (!command.hidden) text += Row(std::string(command.name), std::string(command.summary));
  }
  text += "\n";
  text += Row("COMMAND --help", "what a command takes");
  text += Row("--version", std::string("prints the version: ") + kVersion);
  text += "\nExit codes: " + std::string(kExitCodes) + ".\n";
  return text + Examples(ProgramExamples());
}

std::string CommandHelp(const CommandText& command) {
  std::string text = "addend " + command.name + ": " + command.summary + "\n\n";
  text += "Usage: addend " + command.name + " " + command.arguments + "\n";
  for (const OptionGroup& group : command.groups) {
    text += "\n" + group.name + ":\n";
    for (const OptionText& option : group.options) text += Row(OptionNames(option), option.Explanation());
  }
  if (!command.notes.empty()) text += "\n" + command.notes + "\n";
  return text + Examples(command.examples);
}

}  // namespace addend
