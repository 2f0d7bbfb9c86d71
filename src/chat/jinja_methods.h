// The methods of strings and dictionaries.
#pragma once
#include <string>

#include "chat/jinja_value.h"

namespace addend::jinja {

// value.name as something to call; undefined when this kind of value has no such method.
Value FindMethod(const Value& value, const std::string& name);

}  // namespace addend::jinja
