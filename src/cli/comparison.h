// Several models side by side, as JSON: what `addend compare --json` prints, and what its table, its plot and
// its page are made from.
#pragma once
#include <vector>

#include "base/json.h"
#include "cli/eval_parts.h"

namespace addend {

// The quality of each is what its recipe recorded or, when `protocol` names a text, measured now on that text
// (protocol.model does not count). `measure` says what they can be compared by: "kl_divergence", "perplexity"
// or, when texts or protocols differ, null; `front` which files no other beats in it and in size.
Json Comparison(const std::vector<Path>& models, const EvalArguments& protocol);

}  // namespace addend
