// What the tests of this folder share. For tests only.
#pragma once
#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "generate/batch_engine.h"
#include "model/transformer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer.h"

namespace addend::test {

inline constexpr TokenId kNoEnd = 319;

// Ids 0 to 255 are the bytes, 256 and up "256", "257", ...; `end` ends a text.
inline Tokenizer ByteTokenizer(TokenId end = kNoEnd) {
  Json json = {{"model", {{"type", "BPE"}, {"merges", Json::array()}}},
               {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
               {"decoder", {{"type", "ByteLevel"}}},
               {"added_tokens", Json::array()}};
  std::string end_text;
  for (TokenId id = 0; id < 320; ++id) {
    const std::string text =
        id < 256 ? SpellBytes(std::string(1, static_cast<char>(id))) : std::to_string(id);
    json["model"]["vocab"][text] = id;
    if (id == end) end_text = text;
  }
  json["added_tokens"].push_back({{"id", end}, {"content", end_text}, {"special", true}});
  return Tokenizer::FromJson(json.dump(), Json{{"eos_token", end_text}}.dump(), "test");
}

// The definition of greedy generation.
inline std::vector<TokenId> Greedy(Transformer& transformer, std::vector<TokenId> text, size_t count) {
  std::vector<TokenId> generated;
  for (; generated.size() < count; text.push_back(generated.back())) {
    KvCache cache(transformer.config(), text.size());
    Matrix logits;
    transformer.Forward(text, cache, LogitRows::kLast, logits);
    const auto row = logits.Row(0);
    generated.push_back(static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return generated;
}

// Once nothing runs: counts follow the answers at the end of a step.
inline BatchStatistics IdleStatistics(const BatchEngine& engine) {
  while (engine.Statistics().running > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return engine.Statistics();
}

}  // namespace addend::test
