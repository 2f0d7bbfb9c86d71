// Damaged tokenizer files: always an Error that names the origin, never a crash, an endless loop or a silent
// guess.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/random.h"
#include "tokenizer/golden_tokenizers.h"

namespace addend {
namespace {

using testing::HasSubstr;

Tokenizer FromJson(const std::string& text) {
  return Tokenizer::FromJson(text, "", "FILE");
}

Json GoodJson() {
  return test::ReadGolden("tokenizer_small/sentencepiece").at("tokenizer");
}

struct Damage {
  std::string expected;  // in the message
  std::function<void(Json&)> apply;
};

TEST(CorruptTokenizerJson, StructureIsChecked) {
  const std::vector<Damage> damages = {
      {"'model' is missing", [](Json& json) { json.erase("model"); }},
      {"'vocab'", [](Json& json) { json["model"] = 3; }},
      {"Unigram", [](Json& json) { json["model"]["type"] = "Unigram"; }},
      {"'vocab'", [](Json& json) { json["model"].erase("vocab"); }},
      {"'merges'", [](Json& json) { json["model"].erase("merges"); }},
      {"vocab",
       [](Json& json) {
         json["model"]["vocab"] = {{"a", "b"}};
       }},
      {"vocab", [](Json& json) { json["model"]["vocab"]["a"] = -1; }},
      {"vocab", [](Json& json) { json["model"]["vocab"]["a"] = 1.5; }},
      {"4000000000", [](Json& json) { json["model"]["vocab"]["a"] = 4000000000; }},
      {"4194304", [](Json& json) { json["model"]["vocab"]["a"] = 1 << 22; }},
      {"id 7 is both", [](Json& json) { json["model"]["vocab"]["new"] = 7; }},
      {"'zz', which does not exist",
       [](Json& json) {
         json["model"]["merges"][5] = {"z", "z"};
       }},
      {"merge 5 needs", [](Json& json) { json["model"]["merges"][5] = "new token"; }},
      {"merge 5 has an empty token",
       [](Json& json) {
         json["model"]["vocab"][""] = 5000;
         json["model"]["merges"][5] = {"a", ""};
       }},
      {"not two tokens", [](Json& json) { json["model"]["merges"][5] = "new"; }},
      {"not two tokens", [](Json& json) { json["model"]["merges"][5] = "a b c"; }},
      {"3 tokens",
       [](Json& json) {
         json["model"]["merges"][5] = {"a", "b", "c"};
       }},
      {"merges",
       [](Json& json) {
         json["model"]["merges"][5] = {"a", 3};
       }},
      {"merges", [](Json& json) { json["model"]["merges"][5] = 3; }},
      {"unk_token", [](Json& json) { json["model"]["unk_token"] = "<nothing>"; }},
      {"continuing_subword_prefix", [](Json& json) { json["model"]["continuing_subword_prefix"] = "##"; }},
      {"dropout", [](Json& json) { json["model"]["dropout"] = 0.1; }},
      {"added_tokens", [](Json& json) { json["added_tokens"] = 3; }},
      {"'id'", [](Json& json) { json["added_tokens"][0]["id"] = "0"; }},
      {"'content'", [](Json& json) { json["added_tokens"][0].erase("content"); }},
      {"empty",
       [](Json& json) {
         json["added_tokens"].push_back({{"id", 5000}, {"content", ""}});
       }},
      {"bytes",
       [](Json& json) {
         json["added_tokens"].push_back({{"id", 5000}, {"content", std::string(2000, 'a')}});
       }},
      {"has ids", [](Json& json) { json["added_tokens"][0]["id"] = 100'000; }},
      {"id 5 is both",
       [](Json& json) {
         json["added_tokens"].push_back({{"id", 5}, {"content", "new"}});
       }},
      {"4194304",
       [](Json& json) {
         json["added_tokens"].push_back({{"id", 1 << 22}, {"content", "new"}});
       }},
      {"normalizer of type 'Precompiled'",
       [](Json& json) {
         json["normalizer"] = {{"type", "Precompiled"}};
       }},
      {"'type'", [](Json& json) { json["normalizer"] = Json::object(); }},
      {"'normalizers'",
       [](Json& json) {
         json["normalizer"] = {{"type", "Sequence"}};
       }},
      {"'String'", [](Json& json) { json["normalizer"]["normalizers"][1]["pattern"] = Json::object(); }},
      {"empty",
       [](Json& json) {
         json["normalizer"]["normalizers"][1]["pattern"] = {{"String", ""}};
       }},
      {"pattern '(a'",
       [](Json& json) {
         json["normalizer"]["normalizers"][1]["pattern"] = {{"Regex", "(a"}};
       }},
      {"pre-tokenizer of type 'BertPreTokenizer'",
       [](Json& json) {
         json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
       }},
      {"behavior 'Lost'",
       [](Json& json) {
         json["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Lost"}};
       }},
      {"byte_fallback with ByteLevel",
       [](Json& json) {
         json["pre_tokenizer"] = {{"type", "ByteLevel"}};
       }},
      {"behind ByteLevel",
       [](Json& json) {
         const Json byte_level = {{"type", "ByteLevel"}};
         json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {byte_level, byte_level}}};
       }},
      {"prepend_scheme 'often'",
       [](Json& json) {
         json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "often"}};
       }},
      {"decoder of type 'CTC'",
       [](Json& json) {
         json["decoder"] = {{"type", "CTC"}};
       }},
      {"not one character",
       [](Json& json) {
         json["decoder"] = {{"type", "Strip"}, {"content", ""}, {"start", 1}, {"stop", 0}};
       }},
      {"post-processor of type 'Bert'",
       [](Json& json) {
         json["post_processor"] = {{"type", "Bert"}};
       }},
      {"'<s>'", [](Json& json) { json["post_processor"]["special_tokens"].erase("<s>"); }},
      {"99999", [](Json& json) { json["post_processor"]["special_tokens"]["<s>"]["ids"] = {99999}; }},
      {"-1", [](Json& json) { json["post_processor"]["special_tokens"]["<s>"]["ids"] = {-1}; }},
  };
  ASSERT_NO_THROW(FromJson(GoodJson().dump()));
  for (const Damage& damage : damages) {
    Json json = GoodJson();
    damage.apply(json);
    EXPECT_THAT([&] { FromJson(json.dump()); }, testing::ThrowsMessage<Error>(testing::AllOf(
                                                    HasSubstr("FILE: "), HasSubstr(damage.expected))));
  }
}

TEST(CorruptTokenizerJson, ConfigurationIsChecked) {
  const std::string json = GoodJson().dump();
  for (const char* config : {R"({"eos_token": "<nothing>"})", R"({"eos_token": 3})", R"({"eos_token": {}})",
                             R"({"add_bos_token": "yes"})", R"({"chat_template": [3]})", "{", "[]", "3"})
    EXPECT_THAT([&] { Tokenizer::FromJson(json, config, "FILE"); },
                testing::ThrowsMessage<Error>(HasSubstr("FILE")))
        << config;
}

// A tokenizer.json whose normalizer is `normalizer`.
std::string WithNormalizer(const std::string& normalizer) {
  return R"({"model":{"vocab":{"a":0},"merges":[]},"normalizer":)" + normalizer + "}";
}

TEST(CorruptTokenizerJson, NestingHasAnEnd) {
  ASSERT_NO_THROW(FromJson(WithNormalizer("null")));
  std::string sequences = R"({"type":"NFC"})";
  for (int i = 0; i < 12; ++i) sequences = R"({"type":"Sequence","normalizers":[)" + sequences + "]}";
  const std::string lists = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& deep : {sequences, lists})
    EXPECT_THAT([&] { FromJson(WithNormalizer(deep)); }, testing::ThrowsMessage<Error>(HasSubstr("nested")));
}

TEST(CorruptTokenizerJson, AnyCutIsAnError) {
  const std::string good = GoodJson().dump();
  for (size_t size = 0; size < good.size(); size += 1 + size / 40)
    EXPECT_THROW(FromJson(good.substr(0, size)), Error) << size;
}

// Whatever a changed byte makes of the file: a tokenizer that works or an Error.
TEST(CorruptTokenizerJson, ChangedBytesNeverCrash) {
  Rng random(20241122);
  for (const std::string& name : test::kSmallTokenizers) {
    const std::string good = test::ReadGolden("tokenizer_small/" + name).at("tokenizer").dump();
    for (int i = 0; i < 200; ++i) {
      std::string bad = good;
      for (int changes = 0; changes < 3; ++changes)
        bad[random.Below(bad.size())] = "0123456789\"{}[],:-e\\\xFF"[random.Below(21)];
      try {
        const Tokenizer tokenizer = FromJson(bad);
        tokenizer.Decode(tokenizer.Encode("The quick brown fox, naïve 世界 <|end|> 1984", {true, true}));
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("FILE"));
      }
    }
  }
}

// ---- GGUF ----

GgufMetadata GoodGguf(const char* model) {
  GgufMetadata keys;
  keys.origin = "FILE";
  keys.Set("tokenizer.ggml.model", std::string(model));
  keys.Set("tokenizer.ggml.pre", std::string("gpt-2"));
  keys.Set("tokenizer.ggml.tokens", GgufArray(std::vector<std::string>{"<s>", "a", "b", "ab", ""}));
  keys.Set("tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{3, 1, 1, 1, 5}));
  keys.Set("tokenizer.ggml.scores", GgufArray(std::vector<float>{0, 0, 0, -1, 0}));
  keys.Set("tokenizer.ggml.merges", GgufArray(std::vector<std::string>{"a b"}));
  keys.Set("tokenizer.ggml.bos_token_id", uint32_t{0});
  return keys;
}

struct GgufDamage {
  const char* key;
  GgufValue value;
};

TEST(CorruptTokenizerGguf, StructureIsChecked) {
  const std::vector<GgufDamage> damages = {
      {"tokenizer.ggml.model", std::string("bert")},
      {"tokenizer.ggml.model", uint32_t{1}},
      {"tokenizer.ggml.tokens", GgufArray(std::vector<std::string>{"a", "a", "b", "ab", "c"})},
      {"tokenizer.ggml.tokens", GgufArray(std::vector<std::string>{"<s>", "\xFF", "a", "b", "ab"})},
      {"tokenizer.ggml.tokens", GgufArray(std::vector<int32_t>{1})},
      {"tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{3, 1})},
      {"tokenizer.ggml.bos_token_id", uint32_t{5}},
      {"tokenizer.ggml.bos_token_id", uint32_t{4}},  // a gap
      {"tokenizer.ggml.eos_token_id", uint32_t{UINT32_MAX}},
      {"tokenizer.ggml.eot_token_id", uint32_t{77}},
      {"tokenizer.addend.end_token_ids", GgufArray(std::vector<uint32_t>{77})},
      {"tokenizer.ggml.add_bos_token", std::string("yes")},
      {"tokenizer.huggingface.json", std::string("{}")},
  };
  for (const char* model : {"gpt2", "llama"}) {
    EXPECT_EQ(Tokenizer::FromGguf(GoodGguf(model)).Encode("ab"), std::vector<TokenId>({3})) << model;
    for (const GgufDamage& damage : damages) {
      GgufMetadata keys = GoodGguf(model);
      keys.Set(damage.key, damage.value);
      EXPECT_THAT([&] { Tokenizer::FromGguf(keys); }, testing::ThrowsMessage<Error>(HasSubstr("FILE")))
          << damage.key;
    }
  }
}

TEST(CorruptTokenizerGguf, PartsOfEachModelAreChecked) {
  const auto expect_error = [](const char* model, const char* key, GgufValue value) {
    GgufMetadata keys = GoodGguf(model);
    keys.Set(key, std::move(value));
    EXPECT_THAT([&] { Tokenizer::FromGguf(keys); }, testing::ThrowsMessage<Error>(HasSubstr("FILE"))) << key;
  };
  expect_error("gpt2", "tokenizer.ggml.pre", std::string("nobody-knows"));
  expect_error("gpt2", "tokenizer.ggml.merges", GgufArray(std::vector<std::string>{"a c"}));
  expect_error("gpt2", "tokenizer.ggml.merges", GgufArray(std::vector<std::string>{"ab"}));
  expect_error("llama", "tokenizer.ggml.scores", GgufArray(std::vector<float>{0, 0}));
  expect_error("llama", "tokenizer.ggml.scores", GgufArray(std::vector<float>{0, 0, NAN, 0, 0}));
  expect_error("llama", "tokenizer.ggml.unknown_token_id", uint32_t{9});
}

}  // namespace
}  // namespace addend
