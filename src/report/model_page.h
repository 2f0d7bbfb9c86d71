// The page of one model: what is inside, how it was made and how good it came out.
#pragma once
#include <string>

#include "base/json.h"

namespace addend {

// `inspection` is what `addend inspect --json --layers` prints; `job` what `addend compress --json` printed
// of the job that made the file, or null. Whatever the recipe in them lacks, the page does without.
std::string ModelPage(const Json& inspection, const Json& job);

}  // namespace addend
