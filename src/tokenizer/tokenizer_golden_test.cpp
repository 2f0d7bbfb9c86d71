// Every case of tests/golden/tokenizer: what Hugging Face `tokenizers` gives, from tokenizer.json and from GGUF.
#include <gtest/gtest.h>

#include <chrono>

#include "base/json.h"
#include "support.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

struct Case {
  std::string text;
  std::vector<TokenId> ids;
  std::string decoded;
};

std::vector<Case> GoldenCases(const std::string& name) {
  const Path path = test::GoldenPath("tokenizer/" + name + ".json");
  const Json golden = ParseJson(ReadTextFile(path), path.string());
  std::vector<Case> cases;
  for (const Json& json : golden.at("cases"))
    cases.push_back({json.at("text"), json.at("ids").get<std::vector<TokenId>>(), json.at("decoded")});
  return cases;
}

// The tokenizer that the golden file was made with; nothing when it is not here.
std::optional<Tokenizer> GoldenTokenizer(const std::string& name) {
  const auto path = name == "smollm2" ? test::SmolLm2() : test::TokenizerJson(name);
  if (!path) return std::nullopt;
  return LoadTokenizer(name == "smollm2" ? *path : path->parent_path());
}

void ExpectGolden(const Tokenizer& tokenizer, const std::string& name) {
  const std::vector<Case> cases = GoldenCases(name);
  ASSERT_EQ(cases.size(), 56u);
  for (const Case& golden : cases) {
    EXPECT_EQ(tokenizer.Encode(golden.text, {.parse_special = true}), golden.ids) << name << ": " << golden.text;
    EXPECT_EQ(tokenizer.Decode(golden.ids), golden.decoded) << name << ": " << golden.text;
  }
}

class GoldenTokenizerTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTokenizerTest, EncodesAndDecodesAsHuggingFace) {
  const auto tokenizer = GoldenTokenizer(GetParam());
  ADDEND_SKIP_WITHOUT(tokenizer, GetParam());
  ExpectGolden(*tokenizer, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTokenizerTest,
                         testing::Values("smollm2", "llama3_1", "qwen3", "deepseek_v3", "gpt4o", "gemma3", "llama2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace addend
