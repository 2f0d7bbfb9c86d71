#include "tokenizer/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace addend {
namespace {

using testing::ElementsAre;

std::vector<TokenId> Encoded(const Bpe& bpe, std::string_view word) {
  Bpe::Scratch scratch;
  std::vector<TokenId> ids;
  bpe.Encode(word, scratch, ids);
  return ids;
}

// The definition: of all neighbours that have a rule, merge those of the lowest rank, the leftmost first, one
// at a time.
std::vector<TokenId> Slowly(std::vector<TokenId> ids, const std::vector<MergeRule>& rules) {
  for (;;) {
    const MergeRule* best = nullptr;
    size_t position = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i)
      for (const MergeRule& rule : rules)
        if (rule.left == ids[i] && rule.right == ids[i + 1] && (best == nullptr || rule.rank < best->rank)) {
          best = &rule;
          position = i;
        }
    if (best == nullptr) return ids;
    ids[position] = best->result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(position) + 1);
  }
}

// Tokens over the letters a, b, c, d; every way to put two of them together to a third is a rule, ranked at
// random.
struct RandomModel {
  Vocabulary vocabulary;
  std::vector<MergeRule> rules;

  explicit RandomModel(uint64_t seed) {
    Rng random(seed);
    std::vector<std::string> texts = {"a", "b", "c", "d"};
    while (texts.size() < 60) {
      const std::string text = texts[random.Below(texts.size())] + texts[random.Below(texts.size())];
      if (text.size() < 9 && std::find(texts.begin(), texts.end(), text) == texts.end())
        texts.push_back(text);
    }
    std::vector<std::pair<std::string, TokenId>> tokens;
    for (const std::string& text : texts) tokens.emplace_back(text, static_cast<TokenId>(tokens.size()));
    vocabulary = Vocabulary(tokens, "test");
    for (const auto& [left, left_id] : tokens)
      for (const auto& [right, right_id] : tokens)
        if (const auto result = vocabulary.Find(left + right))
          rules.push_back({left_id, right_id, *result, 0});
    for (size_t i = rules.size(); i > 1; --i) std::swap(rules[i - 1], rules[random.Below(i)]);
    for (size_t i = 0; i < rules.size(); ++i) rules[i].rank = static_cast<uint32_t>(i);
  }

  std::vector<bool> AllPlain() const { return std::vector<bool>(vocabulary.size(), true); }
};

TEST(Bpe, MergesInTheOrderOfTheDefinition) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RandomModel model(seed);
    const Bpe bpe(model.vocabulary, model.AllPlain(), {}, model.rules);
    Rng random(seed, "words");
    for (int i = 0; i < 50; ++i) {
      std::string word;
      std::vector<TokenId> letters;
      for (size_t length = random.Below(30); letters.size() < length;
           word += static_cast<char>('a' + letters.back()))
        letters.push_back(static_cast<TokenId>(random.Below(4)));
      EXPECT_EQ(Encoded(bpe, word), Slowly(letters, model.rules)) << word;
    }
  }
}

TEST(Bpe, ScoresMergeTheBestNeighboursFirst) {
  const Vocabulary vocabulary({{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"bc", 4}, {"abc", 5}}, "test");
  const std::vector<bool> plain(6, true);
  const auto with_scores = [&](const std::vector<float>& scores) {
    return Bpe(vocabulary, plain, {}, RulesFromScores(vocabulary, scores, plain));
  };
  EXPECT_THAT(Encoded(with_scores({0, 0, 0, -1, -2, -3}), "abcbc"), ElementsAre(5, 4));
  EXPECT_THAT(Encoded(with_scores({0, 0, 0, -2, -1, -3}), "abb"), ElementsAre(3, 1));
  // Equal scores: from the left.
  EXPECT_THAT(Encoded(with_scores({0, 0, 0, -1, -1, -3}), "abc"), ElementsAre(5));
  const Bpe without_abc(vocabulary, {true, true, true, true, true, false}, {},
                        RulesFromScores(vocabulary, std::vector<float>{0, 0, 0, -1, -1, 0}, plain));
  EXPECT_THAT(Encoded(without_abc, "abc"), ElementsAre(3, 2));
}

// Byte tokens may have rules of their own; no shortcut may cut between them.
TEST(Bpe, RulesMayJoinBytes) {
  const Vocabulary vocabulary(
      {{"a", 0}, {"<0xC3>", 1}, {"<0xA9>", 2}, {"<0xC3><0xA9>", 3}, {"a<0xC3><0xA9>", 4}}, "test");
  const std::vector<MergeRule> rules = {{1, 2, 3, 0}, {0, 3, 4, 1}};
  const Bpe bpe(vocabulary, std::vector<bool>(5, true), {.byte_fallback = true}, rules);
  EXPECT_THAT(Encoded(bpe, "a\u00e9"), ElementsAre(4));
}

TEST(Bpe, WhatIsNoTokenIsUnknownOrVanishes) {
  const Vocabulary vocabulary({{"a", 0}, {"?", 1}}, "test");
  const std::vector<bool> plain(2, true);
  const auto encoded = [&](const Bpe::Settings& settings) {
    return Encoded(Bpe(vocabulary, plain, settings, {}), "xya\u00e9a");
  };
  EXPECT_THAT(encoded({}), ElementsAre(0, 0));
  EXPECT_THAT(encoded({.unknown = 1}), ElementsAre(1, 1, 0, 1, 0));
  EXPECT_THAT(encoded({.unknown = 1, .fuse_unknown = true}), ElementsAre(1, 0, 1, 0));
}

}  // namespace
}  // namespace addend
