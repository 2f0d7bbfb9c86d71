// The commands of the program. A new command is a new file that defines its SetUp function, a declaration
// here, and a row in commands.cpp.
#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "cli/options.h"

namespace addend {

// Does the work, after the options were parsed. Throws UsageError, Error or Interrupted.
using CommandRun = std::function<void()>;

struct Command {
  std::string_view name;
  std::string_view arguments;  // for the usage line, after the name
  std::string_view summary;    // one line
  // Describes the command's options to `app`, and returns what runs with them.
  CommandRun (*set_up)(CLI::App& app);
  bool hidden = false;  // not for users: no help lists it
};

std::span<const Command> Commands();  // in the order of the help
// All options, --help included.
CommandRun SetUp(const Command& command, CLI::App& app);

CommandRun SetUpCompress(CLI::App& app);
CommandRun SetUpRefine(CLI::App& app);
CommandRun SetUpRun(CLI::App& app);
CommandRun SetUpChat(CLI::App& app);
CommandRun SetUpServe(CLI::App& app);
CommandRun SetUpEval(CLI::App& app);
CommandRun SetUpBench(CLI::App& app);
CommandRun SetUpInspect(CLI::App& app);
CommandRun SetUpCompare(CLI::App& app);
CommandRun SetUpExport(CLI::App& app);
CommandRun SetUpTokenize(CLI::App& app);
CommandRun SetUpSelftest(CLI::App& app);
CommandRun SetUpCompletions(CLI::App& app);
CommandRun SetUpDocuments(CLI::App& app);

}  // namespace addend
