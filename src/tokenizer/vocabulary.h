// The tokens of a model by id and by text.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/token.h"

namespace addend {

class Vocabulary {
 public:
  // Far above any real vocabulary (262,144): a wild id in a bad file must not take the memory.
  static constexpr TokenId kMaxId = (1u << 22) - 1;

  Vocabulary() = default;
  // Ids may have gaps. Error when an id is above kMaxId or has two texts, when a text has two ids or is not
  // UTF-8.
  Vocabulary(std::vector<std::pair<std::string, TokenId>> tokens, std::string_view origin);

  // The map's keys point into texts_, which a copy would not share.
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  size_t size() const { return texts_.size(); }  // the largest id + 1
  bool Has(TokenId id) const { return id < texts_.size() && has_[id]; }
  const std::string& Text(TokenId id) const { return texts_[id]; }  // id < size(); empty for a gap
  std::optional<TokenId> Find(std::string_view text) const;

 private:
  std::vector<std::string> texts_;
  std::vector<bool> has_;
  std::unordered_map<std::string_view, TokenId> ids_;
};

// A token's text for an error message: shortened, control characters as '?'.
std::string Shown(std::string_view text);

}  // namespace addend
