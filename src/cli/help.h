// The help texts, made from the same definitions that parse.
#pragma once
#include <string>

#include "cli/commands.h"

namespace addend {

std::string ProgramHelp();
std::string CommandHelp(const Command& command, const CLI::App& app);

}  // namespace addend
