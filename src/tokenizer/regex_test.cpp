#include "tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace addend {
namespace {

using testing::ElementsAre;

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  std::vector<Span> spans;
  Regex(pattern, "test").FindAll(text, spans);
  std::vector<std::string> matches;
  for (const Span& span : spans) matches.emplace_back(span.In(text));
  return matches;
}

// Oniguruma 6.9.8 (through Hugging Face `tokenizers` 0.23.3) finds the same.
TEST(Regex, ReadsClassesAsOnigurumaDoes) {
  EXPECT_THAT(Matches(R"(\s)", "\u180e\u0085\u200b\u3000"), ElementsAre("\u0085", "\u3000"));
  EXPECT_THAT(Matches(R"([^\s\p{L}]+)", "a\u180e b"), ElementsAre("\u180e"));
  EXPECT_THAT(Matches(R"(\S+)", "a\u180e b"), ElementsAre("a\u180e", "b"));
  EXPECT_THAT(Matches(R"(\w+)", "a\u0301_1\u00bd b\u203fc"), ElementsAre("a\u0301_1", "b\u203fc"));
  EXPECT_THAT(Matches(R"(\d+)", "1\u0663\u00bd"), ElementsAre("1\u0663"));
  EXPECT_THAT(Matches(R"((?i:'s|'ll))", "'S 'LL '\u017f"), ElementsAre("'S", "'LL", "'\u017f"));
  EXPECT_THAT(Matches(R"(\p{Han}+)", "\u4e16\u3005\u3001\u3042"), ElementsAre("\u4e16\u3005"));
  EXPECT_THAT(Matches(R"(\v|\u0041)", "\x0B\nA"), ElementsAre("\x0B", "A"));
  EXPECT_THAT(Matches(R"([]a]+)", "]a["), ElementsAre("]a"));
  EXPECT_THAT(Matches(R"(b$)", "b\nab"), ElementsAre("b", "b"));
}

TEST(Regex, FindsEmptyMatchesOnlyApartFromOthers) {
  std::vector<Span> spans;
  Regex(R"(a*|(?=\u00e9))", "test").FindAll("aa\u00e9b", spans);
  std::vector<std::pair<size_t, size_t>> found;
  for (const Span& span : spans) found.emplace_back(span.begin, span.end);
  using Pair = std::pair<size_t, size_t>;
  EXPECT_THAT(found, ElementsAre(Pair(0, 2), Pair(4, 4), Pair(5, 5)));
}

TEST(Regex, RefusesWhatPcreWouldReadDifferently) {
  for (const char* pattern :
       {"[a[bc]]", R"([\p{L}&&[a]])", R"(\h)", R"(\bx)", R"(\1)", R"([\W])", "a{,3}", R"(\p{N}{1,3}+)",
        "(?m:a.b)", "(?s)", "(*SKIP)a", "(?<name>a)", "\\", "(", "[a", R"(\p{Nonsense})", "(?"}) {
    EXPECT_THAT([&] { Regex(pattern, "FILE"); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("FILE: pattern")))
        << pattern;
  }
}

TEST(Regex, LiteralsMeanThemselves) {
  std::vector<Span> spans;
  Regex::Literal("a.").FindAll("aba.a.", spans);
  EXPECT_EQ(spans.size(), 2u);
  EXPECT_EQ(Regex::Literal(" ").ReplaceAll(" a  b", "_"), "_a__b");
  EXPECT_EQ(Regex(R"(\d+)", "test").ReplaceAll("a12b3", "<>"), "a<>b<>");
}

// Exponential for a backtracking engine: an Error instead of a day.
TEST(Regex, EndlessBacktrackingIsAnError) {
  std::vector<Span> spans;
  EXPECT_THROW(Regex("(?:a+)+[bd]", "test").FindAll(std::string(200, 'a') + "c", spans), Error);
}

// More nesting than the JIT has stack for: the interpreter takes over.
TEST(Regex, LongGroupsNeedNoStack) {
  const std::string text(1'000'000, 'a');
  std::vector<Span> spans;
  Regex(R"((?:a|b(?=c))*)", "test").FindAll(text, spans);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].end, text.size());
}

}  // namespace
}  // namespace addend
