#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/vocabulary.h"

namespace addend {
namespace {

bool IsControl(const AddedToken& token) {
  const std::string_view text = token.content;
  const auto within = [&](std::string_view begin, std::string_view end) {
    return text.starts_with(begin) && text.ends_with(end);
  };
  return token.special || within("<|", "|>") || within("<｜", "｜>");
}

bool EndsWithMark(std::string_view text, std::string_view mark) {
  return !mark.empty() && text.ends_with(mark);
}

}  // namespace

void TextSet::Add(std::string text, size_t value, std::string_view origin) {
  if (text.empty()) return;  // the normalizer left nothing to look for
  if (text.size() > kMaxLength)
    throw Error(origin, ": added token '", Shown(text), "' has ", text.size(), " bytes, at most ", kMaxLength,
                " are allowed");
  starts_[static_cast<uint8_t>(text[0])] = true;
  entries_.push_back({std::move(text), value});
}

void TextSet::Build(std::string_view origin) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
  const auto same = std::adjacent_find(entries_.begin(), entries_.end(),
                                       [](const Entry& a, const Entry& b) { return a.text == b.text; });
  if (same != entries_.end()) throw Error(origin, ": two added tokens are '", Shown(same->text), "'");
}

// Narrows the sorted entries down to those that agree with `text` in ever more bytes. Of those that agree in
// `depth` bytes, one that has no more comes first.
TextSet::Matches TextSet::Match(std::string_view text) const {
  Matches matches;
  auto low = entries_.begin();
  auto high = entries_.end();
  for (size_t depth = 0; depth < text.size(); ++depth) {
    const auto byte = static_cast<uint8_t>(text[depth]);
    low = std::lower_bound(low, high, byte, [&](const Entry& entry, uint8_t value) {
      return static_cast<uint8_t>(entry.text[depth]) < value;
    });
    high = std::upper_bound(low, high, byte, [&](uint8_t value, const Entry& entry) {
      return value < static_cast<uint8_t>(entry.text[depth]);
    });
    if (low == high) return matches;
    if (low->text.size() == depth + 1) matches.longest = &*low++;
  }
  matches.longer = low != high;
  return matches;
}

bool TextSet::MayStartWithOne(std::string_view text) const {
  if (text.empty() || !starts_[static_cast<uint8_t>(text[0])]) return false;
  const Matches matches = Match(text);
  return matches.longest != nullptr || matches.longer;
}

bool TextSet::FindFrom(std::string_view text, size_t at, Span& match, size_t& value) const {
  for (; at < text.size(); ++at) {
    if (!starts_[static_cast<uint8_t>(text[at])]) continue;
    if (const Entry* entry = Match(text.substr(at)).longest) {
      match = {at, at + entry->text.size()};
      value = entry->value;
      return true;
    }
  }
  return false;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer,
                         std::string_view origin)
    : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    AddedToken& token = tokens_[i];
    if (token.content.empty()) throw Error(origin, ": added token ", token.id, " is empty");
    token.written = token.normalized ? normalizer.Apply(token.content) : token.content;
    index_.emplace(token.id, i);
    (token.normalized ? normalized_ : raw_).Add(token.written, i, origin);
    if (IsControl(token)) control_.Add(token.content, i, origin);
  }
  raw_.Build(origin);
  normalized_.Build(origin);
  control_.Build(origin);
}

const AddedToken* AddedTokens::Find(TokenId id) const {
  const auto found = index_.find(id);
  return found == index_.end() ? nullptr : &tokens_[found->second];
}

void AddedTokens::SplitRaw(std::string_view text, Reading reading, std::vector<Section>& sections) const {
  Split(raw_, text, reading, sections);
}

void AddedTokens::SplitNormalized(std::string_view text, Reading reading,
                                  std::vector<Section>& sections) const {
  Split(normalized_, text, reading, sections);
}

std::string AddedTokens::MarkPlain(std::string_view text, std::string_view mark) const {
  std::string marked;
  for (size_t at = 0; at < text.size(); ++at) {
    if (control_.MayStartWithOne(text.substr(at))) marked += mark;
    marked += text[at];
  }
  return marked;
}

bool AddedTokens::TouchesWord(std::string_view before, std::string_view after) const {
  const auto is_word = [&](std::string_view character) {
    std::vector<Span> matches;
    word_character_.FindAll(character, matches);
    return !matches.empty();
  };
  if (!before.empty() && is_word(before.substr(LastCharacter(before)))) return true;
  if (after.empty()) return false;
  size_t length = 0;
  NextCodePoint(after, length);
  return is_word(after.substr(0, length));
}

void AddedTokens::Split(const TextSet& set, std::string_view text, Reading reading,
                        std::vector<Section>& sections) const {
  sections.clear();
  size_t done = 0;  // everything before it is in a section
  Span match;
  size_t index = 0;
  for (size_t at = 0; set.FindFrom(text, at, match, index); at = match.end) {
    const AddedToken& token = tokens_[index];
    if (token.special && !reading.parse_special) continue;
    if (IsControl(token) && EndsWithMark(text.substr(0, match.begin), reading.plain_mark)) continue;
    if (token.single_word && TouchesWord(text.substr(0, match.begin), text.substr(match.end))) continue;
    Span section = match;
    // White space is the token's only as far as no token before has it.
    if (token.lstrip && section.begin > done)
      section.begin = done + TrimWhiteSpace(text.substr(done, section.begin - done), false, true).size();
    if (token.rstrip)
      section.end = text.size() - TrimWhiteSpace(text.substr(section.end), true, false).size();
    if (done < section.begin) sections.push_back({{done, section.begin}, nullptr});
    sections.push_back({section, &token});
    done = section.end;
  }
  if (done < text.size()) sections.push_back({{done, text.size()}, nullptr});
}

}  // namespace addend
