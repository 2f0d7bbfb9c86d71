// Encoding and decoding as Hugging Face `tokenizers` does it: tests/golden/tokenizer (the tokenizers of real
// models, which scripts/fetch_tokenizers.sh fetches) and tests/golden/tokenizer_small (made by its make.py).
#include <gtest/gtest.h>

#include "tokenizer/golden_tokenizers.h"

namespace addend {
namespace {

using test::Ids;

void ExpectRealGolden(const Tokenizer& tokenizer, const Json& golden, const char* trace) {
  SCOPED_TRACE(trace);
  for (const Json& example : golden.at("cases")) {
    const auto text = example.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true}), Ids(example.at("ids"))) << text;
    EXPECT_EQ(tokenizer.Decode(Ids(example.at("ids"))), example.at("decoded").get<std::string>()) << text;
  }
}

void ExpectSmallGolden(const Tokenizer& tokenizer, const Json& golden, const char* trace) {
  SCOPED_TRACE(trace);
  for (const Json& example : golden.at("cases")) {
    const auto text = example.at("text").get<std::string>();
    const std::vector<TokenId> ids = Ids(example.at("ids"));
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true}), ids) << text;
    EXPECT_EQ(tokenizer.Encode(text), Ids(example.at("plain_ids"))) << text;
    EXPECT_EQ(tokenizer.Decode(ids), example.at("decoded").get<std::string>()) << text;
    EXPECT_EQ(tokenizer.Decode(ids, /*skip_special=*/true),
              example.at("decoded_without_special").get<std::string>())
        << text;
  }
}

// The keys of `keys` without one of them.
GgufMetadata Without(const GgufMetadata& keys, std::string_view unwanted) {
  GgufMetadata rest;
  for (const auto& [key, value] : keys.entries())
    if (key != unwanted) rest.Set(key, value);
  return rest;
}

Tokenizer ThroughGgufFile(const Tokenizer& tokenizer) {
  const test::TemporaryFolder folder;
  GgufWriter(folder / "tokenizer.gguf", tokenizer.ToGguf()).Commit();
  return LoadTokenizer(folder / "tokenizer.gguf");
}

class RealTokenizer : public testing::TestWithParam<std::string> {};

TEST_P(RealTokenizer, AgreesWithHuggingFaceFromEverySource) {
  const auto tokenizer = test::RealTokenizer(GetParam());
  ADDEND_SKIP_WITHOUT(tokenizer, GetParam());
  const Json golden = test::ReadGolden("tokenizer/" + GetParam());
  ASSERT_EQ(golden.at("cases").size(), 56u);
  ExpectRealGolden(*tokenizer, golden, "from the model's own file");
  ExpectRealGolden(ThroughGgufFile(*tokenizer), golden, "through a GGUF file");
  // What other programs read: names of pre-tokenizers, and for SentencePiece scores, instead of
  // tokenizer.json.
  const GgufMetadata standard_keys = Without(tokenizer->ToGguf(), "tokenizer.huggingface.json");
  ExpectRealGolden(Tokenizer::FromGguf(standard_keys), golden, "from the standard keys of GGUF");
}

INSTANTIATE_TEST_SUITE_P(All, RealTokenizer, testing::ValuesIn(test::kRealTokenizers),
                         [](const auto& test) { return test.param; });

class SmallTokenizer : public testing::TestWithParam<std::string> {};

TEST_P(SmallTokenizer, AgreesWithHuggingFace) {
  const Json golden = test::ReadGolden("tokenizer_small/" + GetParam());
  ASSERT_GT(golden.at("cases").size(), 30u);
  const Tokenizer tokenizer = test::TokenizerOf(golden);
  ExpectSmallGolden(tokenizer, golden, "from tokenizer.json");
  ExpectSmallGolden(ThroughGgufFile(tokenizer), golden, "through a GGUF file");
}

// By the file's own template: Hugging Face's `tokenizers` does not know the configuration beside it.
TEST_P(SmallTokenizer, AddsSpecialTokensAsHuggingFace) {
  const Json golden = test::ReadGolden("tokenizer_small/" + GetParam());
  const Tokenizer tokenizer = Tokenizer::FromJson(golden.at("tokenizer").dump(), "", "small");
  for (const Json& example : golden.at("cases")) {
    const auto text = example.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true, .add_special = true}),
              Ids(example.at("whole_ids")))
        << text;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SmallTokenizer, testing::ValuesIn(test::kSmallTokenizers),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace addend
