// The help texts, made from the same definitions that parse.
#pragma once
#include <string>

#include "cli/command_text.h"

namespace addend {

std::string ProgramHelp();
std::string CommandHelp(const CommandText& command);

}  // namespace addend
