#include "base/format.h"
#include "cli/command_text.h"
#include "cli/completions.h"

namespace addend {
namespace {

// In single quotes of the shell.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// Where _arguments and _describe give a meaning to some characters.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == ':' || c == '[' || c == ']') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// ":PATH:_files", ":NAME:(bash zsh)", ":N: " for a value that only the user knows.
std::string ValueSpec(const std::string& name, const OptionText& option) {
  std::string spec = ":" + Escaped(name) + ":";
  if (option.takes_path()) return spec + "_files";
  return spec + (option.choices.empty() ? " " : "(" + Joined(option.choices, {}, " ") + ")");
}

// One argument of _arguments for each name of an option, and one for its place without a name.
std::vector<std::string> OptionSpecs(const OptionText& option, size_t& position) {
  std::vector<std::string> specs;
  std::vector<std::string> itself = option.names;  // what the option rules out
  if (!option.positional.empty()) {
    const std::string place = option.list ? "*" : std::to_string(++position);
    itself.push_back(place);
    specs.push_back(place + ValueSpec(option.positional, option));
  }
  for (const std::string& name : option.names) {
    std::string spec = option.repeats ? "*" : "(" + Joined(itself, {}, " ") + ")";
    spec += name;
    if (!option.value.empty()) spec += name.starts_with("--") ? "=" : "+";
    spec += "[" + Escaped(option.description) + "]";
    if (!option.value.empty()) spec += ValueSpec(option.value, option);
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::string CommandCase(const CommandText& command) {
  std::string lines;
  size_t position = 0;
  bool more_files = false, rest = false;
  const auto add = [&lines](const std::string& spec) { lines += " \\\n            " + Quoted(spec); };
  for (const OptionText& option : command.AllOptions()) {
    for (const std::string& spec : OptionSpecs(option, position)) add(spec);
    more_files |= option.list && option.takes_path();
    rest |= option.list && !option.positional.empty();
  }
  // What follows the first value of a list cannot be told from what stands without an option.
  if (more_files && !rest) add("*:PATH:_files");
  return "        " + command.name + ")\n          _arguments" + lines + " ;;\n";
}

}  // namespace

std::string ZshCompletions() {
  const std::vector<CommandText> commands = DescribeCommands();
  std::string described, cases;
  for (const CommandText& command : commands) {
    described += "        " + Quoted(command.name + ":" + Escaped(command.summary)) + "\n";
    cases += CommandCase(command);
  }
  return "#compdef addend\n"
         "# Completions of addend for zsh, made by `addend completions zsh`. For this shell alone, after "
         "compinit:\n"
         "#   source <(addend completions zsh)\n"
         "\n"
         "_addend() {\n"
         "  local curcontext=$curcontext state line\n"
         "  typeset -A opt_args\n"
         "  _arguments -C \\\n"
         "    '(- *)'{-h,--help}'[show what the commands are]' \\\n"
         "    '(- *)--version[print the version]' \\\n"
         "    '1: :->command' \\\n"
         "    '*:: :->argument' && return\n"
         "  case $state in\n"
         "    command)\n"
         "      local -a commands=(\n" +
         described +
         "        'help:show what a command takes'\n"
         "      )\n"
         "      _describe -t commands command commands ;;\n"
         "    argument)\n"
         "      case $line[1] in\n"
         "        help)\n"
         "          _arguments '1:command:(" +
         Joined(commands, &CommandText::name, " ") + ")' ;;\n" + cases +
         "      esac ;;\n"
         "  esac\n"
         "}\n"
         "\n"
         "# Found through $fpath, this file is the function itself.\n"
         "if [[ $funcstack[1] == _addend ]]; then\n"
         "  _addend \"$@\"\n"
         "else\n"
         "  compdef _addend addend\n"
         "fi\n";
}

}  // namespace addend
