// The page of several models side by side: quality against size.
#pragma once
#include <string>

#include "base/json.h"

namespace addend {

// `comparison` is what `addend compare --json` prints.
std::string ComparisonPage(const Json& comparison);

}  // namespace addend
