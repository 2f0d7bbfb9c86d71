#include "calibrate/sequences.h"

#include "base/error.h"

namespace addend {

size_t SequenceLength(SequenceSpan sequences) {
  if (sequences.empty()) throw Error("calibration: no sequences");
  const size_t length = sequences.front().size();
  if (length < 2) throw Error("calibration: sequences of ", length, " tokens, at least 2 are needed");
  for (const auto& sequence : sequences) {
    if (sequence.size() != length) {
      throw Error("calibration: sequences of ", length, " and of ", sequence.size(), " tokens");
    }
  }
  return length;
}

std::vector<TokenId> Flatten(SequenceSpan sequences) {
  std::vector<TokenId> ids;
  for (const auto& sequence : sequences) ids.insert(ids.end(), sequence.begin(), sequence.end());
  return ids;
}

}  // namespace addend
