// Scripts with which a shell completes command lines of addend, made from the same definitions that parse.
#pragma once
#include <string>

namespace addend {

std::string BashCompletions();  // for bash 4 and later; needs no other scripts
std::string ZshCompletions();   // to be sourced, or as the file _addend in a folder of $fpath

}  // namespace addend
