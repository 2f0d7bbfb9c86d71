// What a command takes, as plain data: read from the definitions that parse, for the help, the manual pages
// and the completions of shells.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"

namespace addend {

struct OptionText {
  std::string positional;          // "MODEL"; empty: none
  std::vector<std::string> names;  // "-m", "--model"; empty: only positional
  std::string value;               // "PATH"; empty: a flag
  std::string description;
  std::vector<std::string> choices;  // of the value; empty: it is free
  std::string default_value;         // for people; empty: none, or the description tells
  bool repeats = false;              // may be given more than once
  bool list = false;                 // "PATH...": takes all that follow

  bool takes_path() const { return value.starts_with("PATH"); }
  std::string Explanation() const;  // the description, the choices and the default
};

struct OptionGroup {
  std::string name;
  std::vector<OptionText> options;
};

struct CommandText {
  std::string name, arguments, summary;  // as in Command
  std::vector<OptionGroup> groups;
  std::string notes;                  // lines, without one at the end; may be empty
  std::vector<std::string> examples;  // lines; one that ends in \ goes on in the next

  std::vector<OptionText> AllOptions() const;
};

CommandText Describe(const Command& command);
std::vector<CommandText> DescribeCommands();  // those that the help lists

inline constexpr std::string_view kExitCodes = "0 done, 1 an error, 2 wrong usage, 130 interrupted";
inline constexpr std::string_view kProgramSummary =
    "compresses language models of the Llama family to 0.5-2.5 bits per weight by Double Binary "
    "Factorization, and runs them on CPUs.";
std::vector<std::string> ProgramExamples();

}  // namespace addend
