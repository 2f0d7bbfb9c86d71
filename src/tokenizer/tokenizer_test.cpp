#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/progress.h"
#include "tokenizer/golden_tokenizers.h"

namespace addend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Repeated(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

TEST(Tokenizer, SpecialTokensAreTextUnlessAskedFor) {
  const Tokenizer tokenizer = test::SmallTokenizer("byte_level");
  const TokenId start = *tokenizer.Find("<|start|>");
  const std::string text = "a<|start|>b";
  EXPECT_THAT(tokenizer.Encode(text, {.parse_special = true}), testing::Contains(start));
  EXPECT_THAT(tokenizer.Encode(text), testing::Not(testing::Contains(start)));
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  EXPECT_TRUE(tokenizer.IsSpecial(start));
  EXPECT_FALSE(tokenizer.IsSpecial(*tokenizer.Find("a")));
  EXPECT_FALSE(tokenizer.IsSpecial(1'000'000));
}

// A rule may spell out a special token; text must not become it all the same.
TEST(Tokenizer, MergesNeverMakeSpecialTokens) {
  const Tokenizer tokenizer = Tokenizer::FromJson(R"({
    "added_tokens": [{"id": 3, "content": "</s>", "special": true}],
    "model": {"vocab": {"</": 0, "s>": 1, "<": 4, "/": 5, "s": 6, ">": 7, "</s>": 3},
              "merges": ["< /", "s >", "</ s>"]}})",
                                                  "", "test");
  EXPECT_THAT(tokenizer.Encode("</s>"), ElementsAre(0, 1));
  EXPECT_THAT(tokenizer.Encode("</s>", {.parse_special = true}), ElementsAre(3));
}

TEST(Tokenizer, ConfigurationSaysWhatToAdd) {
  const Tokenizer tokenizer = test::SmallTokenizer("byte_level_words");  // add_bos_token, add_eos_token: true
  EXPECT_THAT(tokenizer.Encode("", {.add_special = true}), ElementsAre(*tokenizer.bos(), *tokenizer.eos()));
  EXPECT_EQ(tokenizer.bos(), tokenizer.Find("<|start|>"));
  EXPECT_EQ(tokenizer.eos(), tokenizer.Find("<|end|>"));

  const Json golden = test::ReadGolden("tokenizer_small/sentencepiece");  // a template with both
  const std::string config = R"({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false})";
  const Tokenizer without_bos = Tokenizer::FromJson(golden.at("tokenizer").dump(), config, "test");
  EXPECT_THAT(without_bos.Encode("", {.add_special = true}), ElementsAre(*without_bos.eos()));
}

TEST(Tokenizer, TemplateNamesBosWithoutConfiguration) {
  const Json golden = test::ReadGolden("tokenizer_small/byte_level");
  const Tokenizer tokenizer = Tokenizer::FromJson(golden.at("tokenizer").dump(), "", "test");
  EXPECT_EQ(tokenizer.bos(), tokenizer.Find("<|start|>"));
  EXPECT_EQ(tokenizer.eos(), std::nullopt);
}

std::string JoinedPieces(const Tokenizer& tokenizer, std::string_view text) {
  std::string joined;
  for (const TokenId id : tokenizer.Encode(text)) joined += tokenizer.Piece(id);
  return joined;
}

TEST(Tokenizer, PiecesJoinToTheText) {
  EXPECT_EQ(JoinedPieces(test::SmallTokenizer("byte_level"), "naïve 世界 \u2026 fox"),
            "naïve 世界 \u2026 fox");
  EXPECT_EQ(JoinedPieces(test::SmallTokenizer("sentencepiece"), "naïve \u2026 fox"), " naïve \u2026 fox");
}

TEST(Tokenizer, IdsWithoutTokenGiveNothing) {
  const Tokenizer tokenizer = test::SmallTokenizer("byte_level");
  const TokenId unknown = static_cast<TokenId>(tokenizer.vocabulary_size());
  EXPECT_EQ(tokenizer.Piece(unknown), "");
  EXPECT_EQ(tokenizer.Decode(std::vector<TokenId>{unknown, UINT32_MAX}), "");
}

TEST(Tokenizer, InvalidUtf8IsTheReplacementCharacter) {
  for (const std::string& name : test::kSmallTokenizers) {
    const Tokenizer tokenizer = test::SmallTokenizer(name);
    EXPECT_EQ(tokenizer.Encode("a\xFF\xE4\xBD z\xED\xA0\x80"),
              tokenizer.Encode("a\uFFFD\uFFFD z\uFFFD\uFFFD\uFFFD"))
        << name;
  }
}

// Quadratic time on any of these would be minutes.
TEST(Tokenizer, MegabytesOfAnythingTakeAboutLinearTime) {
  std::vector<Tokenizer> tokenizers;
  for (const std::string& name : test::kSmallTokenizers) tokenizers.push_back(test::SmallTokenizer(name));
  for (const std::string name : {"qwen3", "gpt4o"})
    if (auto tokenizer = test::RealTokenizer(name)) tokenizers.push_back(*tokenizer);
  constexpr size_t kBytes = 50'000;
  for (const Tokenizer& tokenizer : tokenizers) {
    for (const std::string unit :
         {"a", "A", "aA", " ", "\n", " \n", "\u00e9", "\xF0\x9F\x99\x82", "\xFF", "\xE2\x82", "1", ".", "'s",
          "<", "<mask>", "<|start|", "word", "\u4e16", "over "}) {
      const std::string text = Repeated(unit, kBytes);
      const double start = CpuSeconds();
      const std::vector<TokenId> ids = tokenizer.Encode(text, {.parse_special = true});
      tokenizer.Decode(ids);
      EXPECT_LT(CpuSeconds() - start, 2.0) << "'" << unit << "' repeated";
    }
  }
}

// Half of these marks must move before the other half: reordering by swaps takes 10^10 of them.
TEST(Tokenizer, ManyUnorderedMarksTakeLinearTime) {
  const Tokenizer tokenizer = test::SmallTokenizer("byte_level");  // NFC
  const std::string above = Repeated("\u0301", 200'000);
  const std::string below = Repeated("\u0316", 200'000);
  const double start = CpuSeconds();
  const auto ids = tokenizer.Encode(above + below);
  EXPECT_LT(CpuSeconds() - start, 2.0);
  EXPECT_EQ(tokenizer.Decode(ids), below + above);
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer tokenizer = test::SmallTokenizer("byte_level");
  const std::string text = Repeated("The quick brown fox, 1984 naïve 世界. ", 20'000);
  const std::vector<TokenId> expected = tokenizer.Encode(text);
  std::vector<std::vector<TokenId>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = tokenizer.Encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

class Folder : public testing::Test {
 protected:
  void Write(const char* name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  const test::TemporaryFolder folder_;
  const Path path_ = folder_.path();
  Json golden_ = test::ReadGolden("tokenizer_small/byte_level");
};

TEST_F(Folder, AllConfigurationFilesCount) {
  Write("tokenizer.json", golden_.at("tokenizer").dump());
  Write("config.json", R"({"bos_token_id": 5, "eos_token_id": 7})");
  Write("generation_config.json", R"({"eos_token_id": [9, 8]})");
  const Tokenizer only_ids = LoadTokenizer(path_);
  const TokenId end = *only_ids.Find("<|end|>");  // known by its name
  EXPECT_EQ(only_ids.bos(), 5u);
  EXPECT_EQ(only_ids.eos(), 9u);
  EXPECT_THAT(only_ids.end_tokens(), ElementsAre(9, 8, 7, end));

  Write("tokenizer_config.json", golden_.at("tokenizer_config").dump());
  const Tokenizer tokenizer = LoadTokenizer(path_);
  EXPECT_EQ(tokenizer.eos(), end);
  EXPECT_THAT(tokenizer.end_tokens(), ElementsAre(end, 9, 8, 7));
  EXPECT_EQ(tokenizer.chat_template(), "{{ messages }}");

  Write("chat_template.jinja", "{{ other }}");
  EXPECT_EQ(LoadTokenizer(path_).chat_template(), "{{ other }}");
}

TEST_F(Folder, GgufKeepsEverythingElse) {
  Write("tokenizer.json", golden_.at("tokenizer").dump());
  Write("tokenizer_config.json", golden_.at("tokenizer_config").dump());
  Write("generation_config.json", R"({"eos_token_id": [9, 8]})");
  const Tokenizer tokenizer = LoadTokenizer(path_);
  const GgufMetadata keys = tokenizer.ToGguf();
  const Tokenizer read = Tokenizer::FromGguf(keys);
  EXPECT_EQ(read.bos(), tokenizer.bos());
  EXPECT_EQ(read.eos(), tokenizer.eos());
  EXPECT_EQ(read.end_tokens(), tokenizer.end_tokens());
  EXPECT_EQ(read.chat_template(), tokenizer.chat_template());
  EXPECT_EQ(read.vocabulary_size(), tokenizer.vocabulary_size());
  EXPECT_EQ(read.Encode("x", {.add_special = true}), tokenizer.Encode("x", {.add_special = true}));
  EXPECT_EQ(read.ToGguf().entries().size(), keys.entries().size());
  EXPECT_EQ(keys.String("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(keys.Array<std::string>("tokenizer.ggml.tokens").size(), tokenizer.vocabulary_size());
}

TEST_F(Folder, ErrorsNameTheFile) {
  EXPECT_THAT([&] { LoadTokenizer(path_); }, testing::ThrowsMessage<Error>(HasSubstr("tokenizer.json")));
  Write("tokenizer.json", golden_.at("tokenizer").dump());
  Write("generation_config.json", R"({"eos_token_id": [-1]})");
  EXPECT_THAT([&] { LoadTokenizer(path_); }, testing::ThrowsMessage<Error>(testing::AllOf(
                                                 HasSubstr("generation_config.json"), HasSubstr("-1"))));
}

TEST(Tokenizer, ChatTemplateMayBeOneOfSeveral) {
  const Json golden = test::ReadGolden("tokenizer_small/byte_level");
  const std::string config =
      R"({"chat_template": [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]})";
  EXPECT_EQ(Tokenizer::FromJson(golden.at("tokenizer").dump(), config, "test").chat_template(), "D");
}

TEST(Tokenizer, SmolLm2StopsAtItsEndTokens) {
  const auto tokenizer = test::RealTokenizer("smollm2");
  ADDEND_SKIP_WITHOUT(tokenizer, "SmolLM2");
  EXPECT_EQ(tokenizer->vocabulary_size(), 49152u);
  EXPECT_EQ(tokenizer->bos(), tokenizer->Find("<|im_start|>"));
  EXPECT_EQ(tokenizer->eos(), tokenizer->Find("<|im_end|>"));
  EXPECT_THAT(tokenizer->end_tokens(),
              ElementsAre(*tokenizer->Find("<|im_end|>"), *tokenizer->Find("<|endoftext|>")));
  EXPECT_THAT(tokenizer->chat_template(), HasSubstr("<|im_start|>"));
  EXPECT_EQ(tokenizer->Encode("Hi", {.add_special = true}),
            tokenizer->Encode("Hi"));  // add_bos_token is false
}

}  // namespace
}  // namespace addend
