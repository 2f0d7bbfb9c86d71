// Jinja's filters and tests by name.
#pragma once
#include <string>

#include "chat/jinja_value.h"

namespace addend::jinja {

// value|name(arguments). Throws Error for a filter that is not supported.
Value ApplyFilter(const std::string& name, const Value& value, Arguments& arguments, Budget& budget);
// value is name(arguments). Throws Error for a test that is not supported.
bool ApplyTest(const std::string& name, const Value& value, Arguments& arguments, Budget& budget);

}  // namespace addend::jinja
