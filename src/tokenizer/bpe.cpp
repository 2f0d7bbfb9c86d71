#include "tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

constexpr TokenId kFree = UINT32_MAX;  // `left` of a free slot: no id is as large
constexpr uint32_t kNoSymbol = UINT32_MAX;

std::string ByteTokenText(unsigned byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "<0x%02X>", byte);
  return text.data();
}

}  // namespace

std::vector<MergeRule> RulesFromScores(const Vocabulary& vocabulary, std::span<const float> scores,
                                       const std::vector<bool>& is_plain) {
  std::map<float, uint32_t, std::greater<>> ranks;  // equal scores share a rank: the leftmost pair goes first
  for (const float score : scores) ranks.emplace(score, 0);
  uint32_t rank = 0;
  for (auto& entry : ranks) entry.second = rank++;

  std::vector<MergeRule> rules;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    if (!is_plain[id]) continue;
    const std::string_view text = vocabulary.Text(id);
    for (size_t at = 0; at < text.size();) {
      NextCodePoint(text, at);
      const auto left = vocabulary.Find(text.substr(0, at));
      const auto right = vocabulary.Find(text.substr(at));
      if (left && right && is_plain[*left] && is_plain[*right])
        rules.push_back({*left, *right, id, ranks.at(scores[id])});
    }
  }
  return rules;
}

// ---- RuleTable ----

size_t RuleTable::Slot(TokenId left, TokenId right) const {
  const uint64_t hash = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15u;
  const size_t mask = slots_.size() - 1;
  size_t slot = (hash >> 32) & mask;
  while (slots_[slot].left != kFree && (slots_[slot].left != left || slots_[slot].right != right))
    slot = (slot + 1) & mask;
  return slot;
}

void RuleTable::Grow() {
  std::vector<MergeRule> old(std::max<size_t>(16, 2 * slots_.size()), MergeRule{kFree, 0, 0, 0});
  old.swap(slots_);
  for (const MergeRule& rule : old)
    if (rule.left != kFree) slots_[Slot(rule.left, rule.right)] = rule;
}

MergeRule& RuleTable::Insert(TokenId left, TokenId right) {
  if (used_ * 3 >= slots_.size() * 2) Grow();
  MergeRule& slot = slots_[Slot(left, right)];
  if (slot.left == kFree) {
    slot = {left, right, 0, kNoRank};
    ++used_;
  }
  return slot;
}

const MergeRule* RuleTable::Find(TokenId left, TokenId right) const {
  if (slots_.empty()) return nullptr;
  const MergeRule& slot = slots_[Slot(left, right)];
  return slot.left == kFree ? nullptr : &slot;
}

// ---- Bpe: from a vocabulary ----

Bpe::Bpe(const Vocabulary& vocabulary, const std::vector<bool>& is_plain, const Settings& settings,
         std::span<const MergeRule> rules)
    : settings_(settings) {
  std::vector<bool> is_fallback(vocabulary.size());
  if (settings_.unknown) is_fallback[*settings_.unknown] = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto id = vocabulary.Find(ByteTokenText(byte));
    byte_tokens_[byte] = id.value_or(kNone);
    if (id) is_fallback[*id] = true;
  }
  if (settings_.byte_level) symbol_of_.assign(256, kNone);
  for (TokenId id = 0; id < vocabulary.size(); ++id)
    if (is_plain[id]) ReadToken(id, vocabulary.Text(id));
  for (const MergeRule& rule : rules)
    if (is_plain[rule.result]) AddRule(vocabulary, is_fallback, rule);
}

void Bpe::ReadToken(TokenId id, const std::string& text) {
  std::string word = text;
  if (settings_.byte_level) {
    auto bytes = UnspellBytes(text);
    if (!bytes) return;  // no word is spelled like this
    word = std::move(*bytes);
  }
  if (word.empty()) return;
  size_t length = 0;
  const char32_t symbol =
      settings_.byte_level ? static_cast<uint8_t>(word[length++]) : NextCodePoint(word, length);
  if (length == word.size()) {
    if (symbol >= symbol_of_.size()) symbol_of_.resize(symbol + 1, kNone);
    symbol_of_[symbol] = id;
  }
  if (settings_.ignore_merges) words_.emplace(std::move(word), id);
}

void Bpe::AddRule(const Vocabulary& vocabulary, const std::vector<bool>& is_fallback, const MergeRule& rule) {
  rules_.Insert(rule.left, rule.right) = rule;
  // Inside the result, the last symbol of `left` stands next to the first of `right`.
  const std::string_view left = vocabulary.Text(rule.left);
  const std::string_view right = vocabulary.Text(rule.right);
  size_t first_length = 0;
  NextCodePoint(right, first_length);
  const auto last = vocabulary.Find(left.substr(LastCharacter(left)));
  const auto first = vocabulary.Find(right.substr(0, first_length));
  // Tokens that do not start from the characters of their own text: none are known, but a file may have them.
  if (!last || !first || is_fallback[rule.left] || is_fallback[rule.right]) {
    may_cut_ = false;
  } else {
    rules_.Insert(*last, *first);
  }
}

// ---- Bpe: encoding ----

bool Bpe::AppendBytes(std::string_view character, std::vector<TokenId>& symbols) const {
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  if (std::any_of(character.begin(), character.end(), [&](char byte) { return token_of(byte) == kNone; }))
    return false;
  for (const char byte : character) symbols.push_back(token_of(byte));
  return true;
}

void Bpe::AppendSymbols(std::string_view word, std::vector<TokenId>& symbols) const {
  const TokenId unknown = settings_.unknown.value_or(kNone);
  bool unknown_waits = false;
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    const char32_t character =
        settings_.byte_level ? static_cast<uint8_t>(word[at++]) : NextCodePoint(word, at);
    const TokenId symbol = character < symbol_of_.size() ? symbol_of_[character] : kNone;
    if (symbol != kNone) {
      if (unknown_waits) symbols.push_back(unknown);
      unknown_waits = false;
      symbols.push_back(symbol);
      continue;
    }
    // As in the reference, bytes go before an unknown that waits. That takes a vocabulary that lacks some
    // byte tokens.
    if (settings_.byte_fallback && AppendBytes(word.substr(begin, at - begin), symbols)) continue;
    if (unknown == kNone) continue;
    if (unknown_waits && !settings_.fuse_unknown) symbols.push_back(unknown);
    unknown_waits = true;
  }
  if (unknown_waits) symbols.push_back(unknown);
}

void Bpe::Encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const {
  if (settings_.ignore_merges) {
    if (const auto found = words_.find(word); found != words_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  scratch.symbols.clear();
  AppendSymbols(word, scratch.symbols);
  scratch.run.clear();
  scratch.queue.clear();
  for (size_t i = 0; i < scratch.symbols.size(); ++i) {
    const TokenId symbol = scratch.symbols[i];
    const auto position = static_cast<uint32_t>(scratch.run.size());
    scratch.run.push_back({symbol, position - 1, position + 1});
    const bool is_last = i + 1 == scratch.symbols.size();
    const MergeRule* rule = is_last ? nullptr : rules_.Find(symbol, scratch.symbols[i + 1]);
    if (is_last || (rule == nullptr && may_cut_)) {
      MergeRun(scratch, ids);
    } else if (rule != nullptr && rule->rank != RuleTable::kNoRank) {
      scratch.queue.push_back({uint64_t{rule->rank} << 32 | position, rule});
    }
  }
}

namespace {

bool IsLater(const Bpe::Scratch::Candidate& a, const Bpe::Scratch::Candidate& b) {
  return a.order > b.order;
}

}  // namespace

void Bpe::AddCandidate(Scratch& scratch, uint32_t position) const {
  const uint32_t next = scratch.run[position].next;
  if (next == kNoSymbol) return;
  const MergeRule* rule = rules_.Find(scratch.run[position].id, scratch.run[next].id);
  if (rule == nullptr || rule->rank == RuleTable::kNoRank) return;
  scratch.queue.push_back({uint64_t{rule->rank} << 32 | position, rule});
  std::push_heap(scratch.queue.begin(), scratch.queue.end(), IsLater);
}

// Merges scratch.run, a doubly linked list whose first pairs are in scratch.queue, appends what is left to
// `ids` and clears both.
void Bpe::MergeRun(Scratch& scratch, std::vector<TokenId>& ids) const {
  auto& [symbols, run, queue] = scratch;
  run.back().next = kNoSymbol;  // the first one's `previous` is kNoSymbol, too: 0 - 1
  std::make_heap(queue.begin(), queue.end(), IsLater);
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), IsLater);
    const Scratch::Candidate best = queue.back();
    queue.pop_back();
    Scratch::Symbol& left = run[best.position()];
    if (left.id != best.rule->left || left.next == kNoSymbol)
      continue;  // merged with another in the meantime
    Scratch::Symbol& right = run[left.next];
    if (right.id != best.rule->right) continue;
    left.id = best.rule->result;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNoSymbol) run[left.next].previous = best.position();
    if (left.previous != kNoSymbol) AddCandidate(scratch, left.previous);
    AddCandidate(scratch, best.position());
  }
  for (uint32_t at = 0; at != kNoSymbol; at = run[at].next) ids.push_back(run[at].id);
  run.clear();
}

}  // namespace addend
