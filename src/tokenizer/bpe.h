// Byte-pair encoding of one word: start from its characters (or bytes) and, as long as two neighbours have a
// merge, make the merge of lowest rank, the leftmost of equals (Sennrich et al. 2016, arXiv:1508.07909).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/token.h"
#include "tokenizer/vocabulary.h"

namespace addend {

// Neighbours `left` and `right` become `result`. None of the three is an empty text.
struct MergeRule {
  TokenId left = 0;
  TokenId right = 0;
  TokenId result = 0;
  uint32_t rank = 0;
};

// The rules of SentencePiece's BPE: any two neighbours that spell a token together become it, the best score
// first. `scores` has one for each id; `is_plain` as in Bpe.
std::vector<MergeRule> RulesFromScores(const Vocabulary& vocabulary, std::span<const float> scores,
                                       const std::vector<bool>& is_plain);

// Merge rules by their pair, in one block of memory: a look-up usually costs one cache line.
class RuleTable {
 public:
  MergeRule& Insert(TokenId left, TokenId right);  // finds it, or adds one with kNoRank
  const MergeRule* Find(TokenId left, TokenId right) const;

  static constexpr uint32_t kNoRank = UINT32_MAX;

 private:
  size_t Slot(TokenId left, TokenId right) const;  // where the pair is, or the free slot where it would go
  void Grow();

  std::vector<MergeRule> slots_;  // a power of two of them
  size_t used_ = 0;
};

class Bpe {
 public:
  struct Settings {
    bool byte_level = false;     // symbols are bytes, and the vocabulary spells them (byte_alphabet.h)
    bool byte_fallback = false;  // a character that is no token becomes the tokens "<0xE2>"... of its bytes
    bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
    std::optional<TokenId> unknown;  // for what is no token in any way; without it such characters vanish
    bool fuse_unknown = false;       // one for a whole row of them
  };

  // Working memory of Encode, to be used again for the next word.
  struct Scratch {
    struct Symbol {
      TokenId id;
      uint32_t previous;
      uint32_t next;
    };
    struct Candidate {
      uint64_t order;  // rank, then position
      const MergeRule* rule;
      uint32_t position() const { return static_cast<uint32_t>(order); }
    };
    std::vector<TokenId> symbols;
    std::vector<Symbol> run;
    std::vector<Candidate> queue;
  };

  Bpe() = default;
  // `is_plain[id]`: text may become this token, so it is not a special one. Rules that give others are left
  // out.
  Bpe(const Vocabulary& vocabulary, const std::vector<bool>& is_plain, const Settings& settings,
      std::span<const MergeRule> rules);

  // Appends the tokens of `word`, which is valid UTF-8 unless byte_level. Time n log n.
  void Encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const;

  const Settings& settings() const { return settings_; }

 private:
  static constexpr TokenId kNone = UINT32_MAX;

  void ReadToken(TokenId id, const std::string& text);
  void AddRule(const Vocabulary& vocabulary, const std::vector<bool>& is_fallback, const MergeRule& rule);

  void AppendSymbols(std::string_view word, std::vector<TokenId>& symbols) const;
  bool AppendBytes(std::string_view character, std::vector<TokenId>& symbols) const;
  void MergeRun(Scratch& scratch, std::vector<TokenId>& ids) const;
  void AddCandidate(Scratch& scratch, uint32_t position) const;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Settings settings_;
  std::vector<TokenId> symbol_of_;        // by byte or code point; kNone where there is none
  std::array<TokenId, 256> byte_tokens_;  // "<0x00>"...; kNone where there is none
  std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>> words_;  // only for ignore_merges
  // The rules, and with kNoRank all pairs of symbols that stand next to each other inside a token. No merge
  // ever reaches over neighbours that are not in it, so a word can be cut there: a text of SentencePiece's
  // kind is one huge word.
  RuleTable rules_;
  bool may_cut_ = true;
};

}  // namespace addend
