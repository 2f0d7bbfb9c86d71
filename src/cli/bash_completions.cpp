#include "base/format.h"
#include "cli/command_text.h"
#include "cli/completions.h"

namespace addend {
namespace {

std::string Spaced(const std::vector<std::string>& words) {
  return Joined(words, {}, " ");
}

// What may stand for a value, as a statement of the script; one that only the user knows: none.
std::string Offer(const OptionText& option) {
  if (!option.choices.empty()) return "words='" + Spaced(option.choices) + "'";
  return option.takes_path() ? "files=yes" : ":";
}

std::string CommandCase(const CommandText& command) {
  std::string cases, values = ":";  // values: of what stands without an option
  std::vector<std::string> names;
  for (const OptionText& option : command.AllOptions()) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (!option.value.empty() && !option.names.empty())
      cases += "          " + Joined(option.names, {}, "|") + ") " + Offer(option) + " ;;\n";
    if (!option.positional.empty() && values == ":") values = Offer(option);
  }
  return "      " + command.name + ")\n        case $before in\n" + cases +
         "          *)\n"
         "            case $current in\n"
         "              -*) words='" +
         Spaced(names) +
         "' ;;\n"
         "              *) " +
         values +
         " ;;\n"
         "            esac ;;\n"
         "        esac ;;\n";
}

}  // namespace

std::string BashCompletions() {
  const std::vector<CommandText> commands = DescribeCommands();
  std::vector<std::string> names;
  std::string cases;
  for (const CommandText& command : commands) {
    names.push_back(command.name);
    cases += CommandCase(command);
  }
  const std::string all = Spaced(names);
  return "# Completions of addend for bash, made by `addend completions bash`. For this shell alone:\n"
         "#   source <(addend completions bash)\n"
         "\n"
         "_addend() {\n"
         "  local IFS=$' \\t\\n' words= files=\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  # --option=value comes as three words.\n"
         "  if [[ $current == = ]]; then\n"
         "    current=\n"
         "  elif [[ $before == = ]]; then\n"
         "    before=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  fi\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    words='" +
         all +
         " help --help --version'\n"
         "  else\n"
         "    case ${COMP_WORDS[1]} in\n"
         "      help) ((COMP_CWORD == 2)) && words='" +
         all + "' ;;\n" + cases +
         "    esac\n"
         "  fi\n"
         "  # Readline completes the names of files itself, unless it is told not to.\n"
         "  [[ $files ]] && return\n"
         "  compopt +o default +o bashdefault\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "}\n"
         "\n"
         "complete -o default -o bashdefault -F _addend addend\n";
}

}  // namespace addend
