#include "calibrate/text_fingerprint.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

bool IsOfWord(char32_t code_point) {
  // Letters, marks and digits stand together, in this order.
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

// Hashes of the words of a text, in order.
std::vector<uint64_t> WordHashes(std::string_view bytes) {
  const std::string text = ReplaceInvalidUtf8(bytes);
  std::vector<uint64_t> hashes;
  std::string word;
  for (size_t at = 0; at < text.size() || !word.empty();) {
    const char32_t next = at < text.size() ? NextCodePoint(text, at) : U' ';
    if (IsOfWord(next)) {
      AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(next))), word);
    } else if (!word.empty()) {
      hashes.push_back(Hash64(word));
      word.clear();
    }
  }
  return hashes;
}

struct Phrase {
  size_t first_word;
  uint32_t value;
};

// The phrases of a text that are sampled, in order, with repetitions.
std::vector<Phrase> SampledPhrases(std::string_view text) {
  const std::vector<uint64_t> words = WordHashes(text);
  std::vector<Phrase> phrases;
  for (size_t i = 0; i + TextFingerprint::kWords <= words.size(); ++i) {
    const uint64_t hash = Hash64(std::as_bytes(std::span(words).subspan(i, TextFingerprint::kWords)));
    const uint64_t leading = hash >> (32 - TextFingerprint::kSampledBits);
    if (leading <= UINT32_MAX) phrases.push_back({i, static_cast<uint32_t>(leading)});
  }
  return phrases;
}

}  // namespace

TextFingerprint::TextFingerprint(std::vector<uint32_t> values) : values_(std::move(values)) {
  if (values_.size() > kMost) throw Error(values_.size(), " phrases, at most ", kMost, " are kept");
  if (std::ranges::adjacent_find(values_, std::greater_equal()) != values_.end())
    throw Error("its phrases are not in ascending order");
}

void TextFingerprint::Add(std::string_view text) {
  std::vector<uint32_t> values;
  for (const Phrase& phrase : SampledPhrases(text)) values.push_back(phrase.value);
  AddValues(std::move(values));
}

void TextFingerprint::Add(const TextFingerprint& other) {
  AddValues(other.values_);
}

// The smallest of the union of two texts are the smallest of the union of what is kept of each.
void TextFingerprint::AddValues(std::vector<uint32_t> values) {
  std::ranges::sort(values);
  std::vector<uint32_t> both;
  std::ranges::set_union(values_, values, std::back_inserter(both));
  both.erase(std::ranges::unique(both).begin(), both.end());
  both.resize(std::min(both.size(), kMost));
  values_ = std::move(both);
}

TextOverlap TextFingerprint::OverlapWith(std::string_view text) const {
  // Of what lies above the largest of a full set, nothing is known.
  const uint32_t largest = values_.size() == kMost ? values_.back() : UINT32_MAX;
  TextOverlap overlap;
  std::optional<size_t> passage;  // where the one begins that goes on here
  for (const Phrase& phrase : SampledPhrases(text)) {
    if (phrase.value > largest) continue;
    ++overlap.sampled;
    if (!std::ranges::binary_search(values_, phrase.value)) {
      passage.reset();
    } else {
      ++overlap.found;
      if (!passage) passage = phrase.first_word;
      overlap.longest = std::max(overlap.longest, phrase.first_word + kWords - *passage);
    }
  }
  return overlap;
}

TextFingerprint FingerprintOf(const CalibrationText& text, const Tokenizer& tokenizer) {
  TextFingerprint fingerprint;
  for (const auto* part : {&text.training, &text.held_out, &text.test}) {
    for (const std::vector<TokenId>& sequence : *part) {
      fingerprint.Add(tokenizer.Decode(sequence, /*skip_special=*/true));
    }
  }
  return fingerprint;
}

}  // namespace addend
