#include "chat/chat_prompt.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tokenizer/golden_tokenizers.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content|trim }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}{{ note }}";

// BOS is <|start|>, EOS is <|end|>; <mask> is special too, "Day" and "<|start|" are not.
class ChatPromptTest : public testing::Test {
 protected:
  std::vector<TokenId> Encode(const std::string& content, const ChatPromptOptions& options = {}) {
    const std::vector<ChatMessage> messages = {{"user", content}};
    return prompt_.Encode(messages, options);
  }
  // What is to come out: the template's parts, and `content` without special tokens.
  std::vector<TokenId> Expected(const std::string& content, const std::string& end = "assistant:") {
    std::vector<TokenId> ids = {*tokenizer_.bos()};
    const auto append = [&](const std::vector<TokenId>& more) {
      ids.insert(ids.end(), more.begin(), more.end());
    };
    append(tokenizer_.Encode("user:" + content));
    ids.push_back(*tokenizer_.eos());
    append(tokenizer_.Encode(end));
    return ids;
  }

  const Tokenizer tokenizer_ = test::SmallTokenizer("byte_level");
  const ChatPrompt prompt_{tokenizer_, ChatTemplate(kTemplate)};
};

TEST_F(ChatPromptTest, OnlyTheTemplateWritesSpecialTokens) {
  for (const std::string content :
       {"Hello", "a<|end|>b", "<|end|>", " <|start|> ", "<|start|><|end|>", "x<mask>", "1 <", "a<|e",
        "<|start|", "Day<|end|>Day", "<<|end|>>", "a\xff<|end|>", "word <|end|> word", ""}) {
    EXPECT_EQ(Encode(content), Expected(std::string(TrimWhiteSpace(content, true, true)))) << content;
  }
}

TEST_F(ChatPromptTest, SpecialTokensCannotBePutTogetherFromParts) {
  const ChatPrompt prompt(tokenizer_, ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}"));
  const std::vector<ChatMessage> messages = {{"user", "a<|e"}, {"user", "nd|>b"}};
  EXPECT_EQ(prompt.Encode(messages), tokenizer_.Encode("a<|end|>b"));
}

TEST_F(ChatPromptTest, OtherFieldsAndVariablesAreTextToo) {
  const ChatPrompt prompt(tokenizer_, ChatTemplate("{{ messages[0].calls|tojson }}{{ note|tojson }}"));
  const std::vector<ChatMessage> messages = {{"user", "", {{"calls", {"<|end|>", {{"<|end|>", 1}}}}}}};
  EXPECT_EQ(prompt.Encode(messages, {.variables = {{"note", "<|start|>"}}}),
            tokenizer_.Encode(R"(["<|end|>", {"<|end|>": 1}]"<|start|>")"));
}

TEST_F(ChatPromptTest, AnyCharacterMayStandInAMessage) {
  const std::string inner = "\uFDD0<|end|>\uFDD1";
  EXPECT_EQ(Encode(inner), Expected(inner));
  std::string all;
  for (char32_t code_point = 0xfdd0; code_point <= 0xfdef; ++code_point) all += Utf8(code_point);
  EXPECT_THAT([&] { Encode(all); }, ThrowsMessage<Error>(HasSubstr("U+FDD0")));
}

TEST_F(ChatPromptTest, HandsOptionsOn) {
  EXPECT_EQ(Encode("a", {.variables = {{"note", "!"}}}), Expected("a", "assistant:!"));
  EXPECT_EQ(Encode("a", {.add_generation_prompt = false}), Expected("a", ""));
  const ChatPrompt dated(tokenizer_, ChatTemplate("{{ strftime_now('%Y') }}"));
  EXPECT_EQ(dated.Encode({}, {.now = 86400}), tokenizer_.Encode("1970"));
}

TEST_F(ChatPromptTest, TheTemplateIsTheModelsOrANamedOne) {
  const std::vector<ChatMessage> messages = {{"user", "a"}};
  EXPECT_EQ(ChatPrompt(tokenizer_).Encode(messages),  // its template is {{ messages }}
            tokenizer_.Encode("[{'role': 'user', 'content': 'a'}]"));
  EXPECT_EQ(ChatPrompt(tokenizer_, "zephyr").Encode(messages),
            tokenizer_.Encode("<|user|>\na<|end|>\n<|assistant|>\n", {.parse_special = true}));
  EXPECT_THAT([&] { ChatPrompt(tokenizer_, "none"); }, ThrowsMessage<Error>(HasSubstr("chatml, deepseek")));
  EXPECT_THAT([&] { ChatPrompt(test::SmallTokenizer("unknown")); },
              ThrowsMessage<Error>("the model has no chat template; name one with --chat-template: chatml, "
                                   "deepseek, gemma, llama2, llama3, mistral, phi3, zephyr"));
}

// The conversations of the golden file, with the tokenizers of their models.
TEST(ChatPrompt, EqualsHuggingFaceOnRealModels) {
  const Json golden = test::ReadGolden("chat_templates");
  size_t tried = 0;
  for (const auto& [name, entry] : golden.items()) {
    const auto tokenizer = test::RealTokenizer(name);
    if (!tokenizer) continue;
    const ChatPrompt prompt(*tokenizer, ChatTemplate(entry.at("template").get<std::string>()));
    for (const Json& rendering : entry.at("renderings")) {
      std::vector<ChatMessage> messages;
      for (const Json& message : rendering.at("messages")) messages.push_back({.fields = message});
      // apply_chat_template's ids are those of its text, special tokens read, none added.
      EXPECT_EQ(prompt.Encode(messages),
                tokenizer->Encode(rendering.at("text").get<std::string>(), {.parse_special = true}))
          << name;
      ++tried;
    }
  }
  if (tried == 0) GTEST_SKIP() << "no tokenizer of a real model is here; see CONTRIBUTING.md, \"Test data\"";
}

TEST(ChatPrompt, ControlTokensThatAreNotFlaggedStayTextToo) {
  const auto tokenizer = test::RealTokenizer("deepseek_v3");
  ADDEND_SKIP_WITHOUT(tokenizer, "DeepSeek V3's tokenizer");
  const TokenId user = *tokenizer->Find("<｜User｜>");
  ASSERT_FALSE(tokenizer->IsSpecial(user));
  const std::vector<ChatMessage> messages = {{"user", "I am <｜User｜>"}};
  EXPECT_THAT(ChatPrompt(*tokenizer, "deepseek").Encode(messages), testing::Contains(user).Times(1));
}

}  // namespace
}  // namespace addend
