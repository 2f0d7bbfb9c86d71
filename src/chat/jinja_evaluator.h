// Runs a parsed template.
#pragma once
#include <ctime>
#include <string>

#include "chat/jinja_ast.h"

namespace addend::jinja {

// The text that `body` renders with these variables, beside Jinja's `range`, `dict` and `namespace` and
// Hugging Face's `raise_exception` and `strftime_now`, which tells `now` in local time. Throws Error with the
// line; never takes more than `Limits` allow.
std::string Render(const Body& body, NamedValues variables, std::time_t now, Budget& budget);

}  // namespace addend::jinja
