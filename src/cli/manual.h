// Manual pages in roff's language, made from the same definitions that parse.
#pragma once
#include <string>

#include "cli/command_text.h"

namespace addend {

std::string ProgramPage();                            // addend(1)
std::string CommandPage(const CommandText& command);  // addend-COMMAND(1)

}  // namespace addend
