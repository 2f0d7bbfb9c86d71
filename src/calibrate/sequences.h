// Small pieces that every pass over calibration sequences shares.
#pragma once
#include <span>
#include <vector>

#include "tokenizer/token.h"

namespace addend {

// How many sequences go through a block at once: enough rows for fast products, few enough for small memory.
inline constexpr size_t kSequencesInFlight = 8;

using SequenceSpan = std::span<const std::vector<TokenId>>;

// The common length of all sequences. Throws Error when there is none, when they differ, or when it is
// below 2.
size_t SequenceLength(SequenceSpan sequences);

// All ids, one sequence after the other.
std::vector<TokenId> Flatten(SequenceSpan sequences);

}  // namespace addend
