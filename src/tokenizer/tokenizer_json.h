// The text of a tokenizer.json, taken apart. Its two huge lists (a quarter of a million tokens, half a
// million merges) go straight to vectors; the rest is small.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tokenizer/token.h"

namespace addend {

struct TokenizerJson {
  std::vector<std::pair<std::string, TokenId>> vocabulary;  // model.vocab
  std::vector<std::pair<std::string, std::string>>
      merges;               // model.merges, by rank, from either of its two forms
  bool has_merges = false;  // the list is there, empty or not
  Json parts;               // everything else
};

// Error for text that is not JSON, is nested deeper than any tokenizer, or has other things in the two lists.
TokenizerJson ReadTokenizerJson(std::string_view text, std::string_view origin);

// One line of merges: two token texts with a space between them. Error when it is something else.
std::pair<std::string, std::string> SplitMerge(std::string_view line, std::string_view origin);

}  // namespace addend
