#include "generate/cached_sequence.h"

#include <algorithm>

namespace addend {

size_t CachedSequence::Reusable(std::span<const TokenId> prompt) const {
  if (prompt.empty()) return 0;
  const std::span<const TokenId> before_last = prompt.first(prompt.size() - 1);
  const auto differs =
      std::mismatch(before_last.begin(), before_last.end(), tokens_.begin(), tokens_.end()).first;
  return static_cast<size_t>(differs - before_last.begin());
}

void CachedSequence::Truncate(size_t length) {
  cache_.Truncate(length);
  tokens_.resize(length);
}

void CachedSequence::CopyPrefix(const CachedSequence& other, size_t length) {
  cache_.CopyPrefix(other.cache_, length);
  tokens_.assign(other.tokens_.begin(), other.tokens_.begin() + static_cast<ptrdiff_t>(length));
}

}  // namespace addend
