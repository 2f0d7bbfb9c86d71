// What a compressed file remembers of the text that it was made with: enough to find passages of it in
// another text, too little to read it (docs/format.md, "addend.calibration_fingerprint").
//
// A phrase is 13 words in a row, the length that GPT-3's authors looked for tests in training text by (arXiv
// 2005.14165, appendix C): unrelated texts share none. Words are what Unicode calls letters, marks and
// digits, in lower case, so neither punctuation nor white space matters. Of all phrases those with the
// smallest hashes are kept: a sample that any text can be compared with, and that the samples of two texts
// can be joined to.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "calibrate/calibration_text.h"

namespace addend {

struct TextOverlap {
  size_t sampled = 0;  // phrases of the text that could have been found
  size_t found = 0;    // and how many were
  // Words of the longest passage: from the first to the last of phrases that were found with none missing
  // between them. The copied passage itself is somewhat longer.
  size_t longest = 0;

  double Share() const { return sampled > 0 ? static_cast<double>(found) / static_cast<double>(sampled) : 0; }
  // A copied paragraph, or much that is scattered: what is measured on such a text would flatter. Sentences
  // that two articles by one author share are neither.
  bool IsCopy() const { return longest >= kPassage || (found >= kFewest && Share() >= kLeastShare); }

  static constexpr size_t kPassage = 30, kFewest = 3;
  static constexpr double kLeastShare = 0.01;
};

class TextFingerprint {
 public:
  static constexpr size_t kWords = 13;
  // 64 kB at most. A text of up to 260,000 words keeps one phrase in 16, so that a copied paragraph of 100
  // words leaves five or six in it; one of a million keeps one in 60.
  static constexpr size_t kMost = size_t{1} << 14;
  static constexpr unsigned kSampledBits = 4;  // phrases whose hash begins with so many zeros

  TextFingerprint() = default;  // of no text
  // Back from values(). Throws Error, without naming a file, unless they are at most kMost and ascending.
  explicit TextFingerprint(std::vector<uint32_t> values);

  // Phrases do not reach from one text into the next.
  void Add(std::string_view text);
  void Add(const TextFingerprint& other);

  // The 32 bits behind the first kSampledBits of the kept hashes, ascending, each once.
  const std::vector<uint32_t>& values() const { return values_; }

  TextOverlap OverlapWith(std::string_view text) const;

 private:
  void AddValues(std::vector<uint32_t> values);

  std::vector<uint32_t> values_;
};

// Of all three parts: what nothing is fitted to still chose, or is what the file's own numbers are of.
TextFingerprint FingerprintOf(const CalibrationText& text, const Tokenizer& tokenizer);

}  // namespace addend
