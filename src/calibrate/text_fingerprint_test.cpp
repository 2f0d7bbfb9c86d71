#include "calibrate/text_fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::string Words(uint64_t seed, size_t count) {
  Rng rng(seed);
  std::string text;
  for (size_t i = 0; i < count; ++i) text += std::to_string(rng.Below(1000)) + " ";
  return text;
}

TextFingerprint Of(std::string_view text) {
  TextFingerprint fingerprint;
  fingerprint.Add(text);
  return fingerprint;
}

TEST(TextFingerprint, FindsTheSameTextAndNoOther) {
  const TextFingerprint fingerprint = Of(Words(1, 20000));
  EXPECT_NEAR(static_cast<double>(fingerprint.values().size()), 20000.0 / 16, 150);  // 4 standard deviations
  const TextOverlap same = fingerprint.OverlapWith(Words(1, 20000));
  EXPECT_EQ(same.found, same.sampled);
  EXPECT_EQ(same.sampled, fingerprint.values().size());
  EXPECT_TRUE(same.IsCopy());
  const TextOverlap other = fingerprint.OverlapWith(Words(2, 20000));
  EXPECT_GT(other.sampled, 1000u);
  EXPECT_EQ(other.found, 0u);
  EXPECT_FALSE(other.IsCopy());
}

TEST(TextFingerprint, FindsAParagraphInALongText) {
  const TextFingerprint fingerprint = Of(Words(1, 250'000));
  const std::string paragraph = Words(1, 1150).substr(Words(1, 1000).size());  // 150 words
  const TextOverlap overlap = fingerprint.OverlapWith(Words(2, 12'000) + paragraph + Words(3, 12'000));
  EXPECT_GE(overlap.found, 2u);
  EXPECT_LT(overlap.Share(), TextOverlap::kLeastShare);
  EXPECT_GE(overlap.longest, TextOverlap::kPassage);
  EXPECT_LE(overlap.longest, 150u);
  EXPECT_TRUE(overlap.IsCopy());
}

// As in two articles by one author: single sentences are in both.
TEST(TextFingerprint, SharedSentencesAreNoCopy) {
  const std::string calibration = Words(1, 50'000);
  std::string text;
  for (size_t i = 0; i < 20; ++i) {
    const size_t at = calibration.find(' ', 1000 * i) + 1;
    text += Words(100 + i, 3000) + calibration.substr(at, 100);  // some 26 words
  }
  const TextOverlap overlap = Of(calibration).OverlapWith(text);
  EXPECT_GE(overlap.found, 5u);
  EXPECT_LT(overlap.longest, TextOverlap::kPassage);
  EXPECT_FALSE(overlap.IsCopy());
}

TEST(TextFingerprint, ManySharedSentencesAreACopy) {
  const std::string calibration = Words(1, 50'000);
  std::string text;
  for (size_t i = 0; i < 100; ++i) {
    const size_t at = calibration.find(' ', 1000 * i) + 1;
    text += Words(100 + i, 100) + calibration.substr(at, 120);
  }
  EXPECT_TRUE(Of(calibration).OverlapWith(text).IsCopy());
}

TEST(TextFingerprint, WordsAreAllThatCounts) {
  const TextFingerprint fingerprint =
      Of("Ein Ö, zwei\nÖl-Öfen: drei (3) 日本語 x y z a b c d e f g h i j k l m n o p q");
  EXPECT_EQ(fingerprint.values(),
            Of("ein ö zwei öl öfen DREI 3 日本語 X Y Z A B C D E F G H I J K L M N O P Q.").values());
  EXPECT_NE(Of(Words(1, 2000)).values(), Of(Words(1, 2000).insert(5000, " and ")).values());
}

TEST(TextFingerprint, ShortAndStrangeTextsHaveNoPhrases) {
  for (const std::string& text :
       {std::string(), std::string("one two three"), std::string(100'000, '.'), std::string(100'000, 'x'),
        std::string(1000, '\0'), std::string("\xff\xfe\x80")})
    EXPECT_TRUE(Of(text).values().empty());
  EXPECT_EQ(Of("").OverlapWith("").Share(), 0);
  EXPECT_FALSE(Of("").OverlapWith("").IsCopy());
  Of(std::string(10'000, '\xc3') + Words(1, 100));
}

// The definition: of the whole text, the smallest values.
TEST(TextFingerprint, OfPartsIsThatOfTheWhole) {
  TextFingerprint parts;
  std::set<uint32_t> all;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const TextFingerprint part = Of(Words(seed, 100'000));  // some 6200 phrases
    all.insert(part.values().begin(), part.values().end());
    parts.Add(part);
  }
  ASSERT_GT(all.size(), TextFingerprint::kMost);
  const std::vector<uint32_t> smallest(all.begin(), std::next(all.begin(), TextFingerprint::kMost));
  EXPECT_EQ(parts.values(), smallest);
  parts.Add(Words(3, 100'000));  // again
  EXPECT_EQ(parts.values(), smallest);
  // A sample, but every part of it is known whole.
  for (uint64_t seed = 0; seed < 5; ++seed) EXPECT_EQ(parts.OverlapWith(Words(seed, 100'000)).Share(), 1);
  EXPECT_EQ(parts.OverlapWith(Words(9, 100'000)).found, 0u);
}

TEST(TextFingerprint, RefusesValuesThatItNeverHas) {
  EXPECT_EQ(TextFingerprint({1, 2, 0xffffffff}).values().size(), 3u);
  EXPECT_THAT([] { TextFingerprint({1, 3, 3}); }, ThrowsMessage<Error>(HasSubstr("ascending")));
  EXPECT_THAT([] { TextFingerprint({2, 1}); }, ThrowsMessage<Error>(HasSubstr("ascending")));
  std::vector<uint32_t> many(TextFingerprint::kMost + 1);
  for (uint32_t i = 0; i < many.size(); ++i) many[i] = i;
  EXPECT_THAT([&] { TextFingerprint{many}; },
              ThrowsMessage<Error>(HasSubstr("16385 phrases, at most 16384")));
}

// Real texts of one kind share phrases of eight words ("the church of jesus christ of latter day"), and none
// of thirteen.
TEST(TextFingerprint, WikiTextsDoNotOverlap) {
  const auto calibration = test::SharedText("calibration-wiki.txt");
  const auto evaluation = test::SharedText("wikitext2-raw-test.txt");
  ADDEND_SKIP_WITHOUT(calibration, "calibration-wiki.txt");
  ADDEND_SKIP_WITHOUT(evaluation, "wikitext2-raw-test.txt");
  const TextFingerprint fingerprint = Of(ReadTextFile(*calibration));
  const std::string text = ReadTextFile(*evaluation);
  EXPECT_EQ(fingerprint.OverlapWith(text).found, 0u);
  EXPECT_GT(fingerprint.OverlapWith(text).sampled, 5000u);
  const std::string paragraph = ReadTextFile(*calibration).substr(1'000'000, 1000);  // some 170 words
  EXPECT_TRUE(fingerprint.OverlapWith(text.substr(0, 150'000) + paragraph).IsCopy());
}

// One explanation stands in both, word for word.
TEST(TextFingerprint, FindsTheParagraphThatTwoRealTextsShare) {
  const auto web = test::SharedText("calibration-c4.txt");
  const auto technical = test::SharedText("calibration-technical.txt");
  ADDEND_SKIP_WITHOUT(web, "calibration-c4.txt");
  ADDEND_SKIP_WITHOUT(technical, "calibration-technical.txt");
  EXPECT_TRUE(Of(ReadTextFile(*web)).OverlapWith(ReadTextFile(*technical)).IsCopy());
}

}  // namespace
}  // namespace addend
