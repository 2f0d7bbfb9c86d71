// For the tests: tokenizers with cases of what Hugging Face `tokenizers` gives.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "support.h"
#include "tokenizer/tokenizer.h"

namespace addend::test {

// The names in tests/golden/tokenizer_small: trained on a few lines, in the repository.
inline const std::vector<std::string> kSmallTokenizers = {"byte_level", "byte_level_words", "sentencepiece",
                                                          "metaspace", "unknown"};
// The names in tests/golden/tokenizer: those of real models, fetched.
inline const std::vector<std::string> kRealTokenizers = {"smollm2", "llama3_1", "qwen3", "deepseek_v3",
                                                         "gpt4o",   "gemma3",   "llama2"};

inline Json ReadGolden(const std::string& name) {
  const Path path = GoldenPath(name + ".json");
  return ParseJson(ReadTextFile(path), path.string());
}

inline std::vector<TokenId> Ids(const Json& json) {
  return json.get<std::vector<TokenId>>();
}

inline Tokenizer TokenizerOf(const Json& golden) {
  return Tokenizer::FromJson(golden.at("tokenizer").dump(), golden.at("tokenizer_config").dump(), "small");
}
inline Tokenizer SmallTokenizer(const std::string& name) {
  return TokenizerOf(ReadGolden("tokenizer_small/" + name));
}

// Nothing when it was not fetched.
inline std::optional<Tokenizer> RealTokenizer(const std::string& name) {
  if (name == "smollm2") return SmolLm2() ? std::optional(LoadTokenizer(*SmolLm2())) : std::nullopt;
  const auto path = TokenizerJson(name);
  return path ? std::optional(LoadTokenizer(path->parent_path())) : std::nullopt;
}

}  // namespace addend::test
