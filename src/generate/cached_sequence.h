// A cache of keys and values that knows whose tokens it holds, so that a text that begins like the last one
// only costs what is new.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "model/kv_cache.h"
#include "tokenizer/token.h"

namespace addend {

// Models know of contexts that no small machine has the memory for, and few need more.
inline constexpr size_t kLongestDefaultContext = 8192;
// What `asked` tokens of context stand for: 0 = the model's own, but no more than that.
inline size_t ContextOrDefault(size_t asked, const ModelConfig& config) {
  return asked > 0 ? asked : std::min(config.context, kLongestDefaultContext);
}

class CachedSequence {
 public:
  // `context`: how many tokens it can hold.
  CachedSequence(const ModelConfig& config, size_t context, DType type) : cache_(config, context, type) {}

  KvCache& cache() { return cache_; }
  size_t context() const { return cache_.capacity(); }
  std::span<const TokenId> tokens() const { return tokens_; }

  // How many tokens of `prompt` need not be read again: those that both begin with, but never the prompt's
  // last one, whose logits are wanted.
  size_t Reusable(std::span<const TokenId> prompt) const;
  // Forgets the tokens from `length` on.
  void Truncate(size_t length);
  // Holds then what the first `length` tokens of `other` are; both of the same model and type.
  void CopyPrefix(const CachedSequence& other, size_t length);
  // To be called when a forward pass has put these into cache().
  void Append(std::span<const TokenId> tokens) {
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  }

 private:
  KvCache cache_;
  std::vector<TokenId> tokens_;
};

}  // namespace addend
