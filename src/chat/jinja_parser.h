// Tokens to a tree, by the grammar of Jinja 3.1.
#pragma once
#include <string_view>

#include "chat/jinja_ast.h"

namespace addend::jinja {

// `source` must be valid UTF-8. Throws Error with the line and what was found or is not supported.
Body Parse(std::string_view source);

}  // namespace addend::jinja
