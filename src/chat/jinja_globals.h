// The functions that every template can call.
#pragma once
#include <ctime>
#include <deque>

#include "chat/jinja_value.h"

namespace addend::jinja {

// `namespaces` owns what the function `namespace` makes, and must outlive all values.
NamedValues GlobalFunctions(std::time_t now, std::deque<Namespace>& namespaces);

}  // namespace addend::jinja
