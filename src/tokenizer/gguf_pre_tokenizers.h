// The names of tokenizer.ggml.pre. A GGUF file does not hold the patterns of its byte-level pre-tokenizer,
// only a name that llama.cpp gave to them.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace addend {

struct GgufPreTokenizer {
  std::string_view name;
  std::vector<std::string_view> patterns;  // each splits the words that the one before it left
  // What else the name stands for:
  bool ignore_merges = false;
  bool add_bos = false;  // unless tokenizer.ggml.add_bos_token says otherwise
  bool nfc = false;      // normalises the text first, as the models' own tokenizer.json does
};

const GgufPreTokenizer* FindGgufPreTokenizer(std::string_view name);  // null when the name is not known

// The first name for these steps; empty when there is none.
std::string_view GgufPreTokenizerName(const PreTokenizer& pre_tokenizer, bool ignore_merges, bool nfc);

PreTokenizer MakePreTokenizer(const GgufPreTokenizer& named);

}  // namespace addend
