// The parts of a tokenizer.json (normalizer, pre_tokenizer, post_processor, decoder) all have the same shape:
// null, one
// {"type": ...}, or a "Sequence" of such.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace addend {

// Calls visit(step, type) for every step that is no Sequence itself, in order. `key` names the list inside a
// Sequence. Sequences may be nested a few deep; Error beyond that.
template <typename Visit>
void ForEachInSequence(const Json& part, const char* key, std::string_view origin, const Visit& visit,
                       int depth = 0) {
  if (part.is_null()) return;
  const auto type = JsonField<std::string>(part, "type", origin);
  if (type != "Sequence") return visit(part, type);
  if (depth == 8) throw Error(origin, ": '", key, "' are nested too deeply");
  if (!part.contains(key) || !part[key].is_array())
    throw Error(origin, ": a Sequence lacks its list '", key, "'");
  for (const Json& step : part[key]) ForEachInSequence(step, key, origin, visit, depth + 1);
}

}  // namespace addend
