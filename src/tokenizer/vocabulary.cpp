#include "tokenizer/vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace addend {

// The texts are moved out of `tokens`, which clang-tidy 16 does not see.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
Vocabulary::Vocabulary(std::vector<std::pair<std::string, TokenId>> tokens, std::string_view origin) {
  size_t size = 0;
  for (const auto& [text, id] : tokens) {
    if (id > kMaxId)
      throw Error(origin, ": token '", Shown(text), "' has id ", id, ", the largest allowed is ", kMaxId);
    size = std::max<size_t>(size, id + size_t{1});
  }
  texts_.resize(size);
  has_.resize(size);
  ids_.reserve(tokens.size());
  for (auto& [text, id] : tokens) {
    if (has_[id])
      throw Error(origin, ": id ", id, " is both '", Shown(texts_[id]), "' and '", Shown(text), "'");
    if (!IsValidUtf8(text)) throw Error(origin, ": the text of token ", id, " is not UTF-8");
    texts_[id] = std::move(text);
    has_[id] = true;
    const auto [entry, is_new] = ids_.emplace(texts_[id], id);
    if (!is_new)
      throw Error(origin, ": token '", Shown(texts_[id]), "' has ids ", entry->second, " and ", id);
  }
}

std::optional<TokenId> Vocabulary::Find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string Shown(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string shown = ReplaceInvalidUtf8(text.substr(0, kLongest));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text.size() > kLongest ? shown + "..." : shown;
}

}  // namespace addend
