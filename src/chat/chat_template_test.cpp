#include "chat/chat_template.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "support.h"

namespace addend {
namespace {

Json ReadGolden(const std::string& name) {
  const Path path = test::GoldenPath(name);
  return ParseJson(ReadTextFile(path), path.string());
}

std::vector<ChatMessage> Messages(const Json& json) {
  std::vector<ChatMessage> messages;
  for (const Json& message : json) messages.push_back({.fields = message});
  return messages;
}

std::string Token(const Json& entry, const char* name) {
  return entry.contains(name) ? entry.at(name).get<std::string>() : "";
}

TEST(ChatTemplate, RendersRealTemplatesLikeHuggingFace) {
  size_t cases = 0;
  const Json golden = ReadGolden("chat_templates.json");
  for (const auto& [name, entry] : golden.items()) {
    const ChatTemplate chat_template(entry.at("template").get<std::string>());
    for (const Json& rendering : entry.at("renderings")) {
      const ChatTemplateOptions options{.bos_token = Token(entry, "bos_token"),
                                        .eos_token = Token(entry, "eos_token")};
      EXPECT_EQ(chat_template.Render(Messages(rendering.at("messages")), options),
                rendering.at("text").get<std::string>())
          << name;
      ++cases;
    }
  }
  EXPECT_EQ(cases, 10u);
}

// The limits against hostile templates leave room for what fills a context of half a million tokens.
TEST(ChatTemplate, RendersALongConversation) {
  std::vector<ChatMessage> messages;
  for (int i = 0; i < 1000; ++i)
    messages.push_back(
        {i % 2 == 0 ? "user" : "assistant", "<think>\n" + std::string(2000, 'x') + "</think>a b"});
  const Json golden = ReadGolden("chat_templates.json");
  for (const auto& [name, entry] : golden.items()) {
    EXPECT_GT(ChatTemplate(entry.at("template").get<std::string>()).Render(messages, {}).size(), 1000000u)
        << name;
  }
}

// Every line of scripts/golden/jinja.py, in Jinja's own words; null stands for an error.
class JinjaGolden : public testing::TestWithParam<const char*> {};

TEST_P(JinjaGolden, RendersLikeJinja) {
  const Json golden = ReadGolden("jinja.json");
  const ChatTemplateOptions options{.variables = golden.at("variables")};
  const Json& cases = golden.at("cases").at(GetParam());
  EXPECT_GT(cases.size(), 5u);
  for (const Json& one : cases) {
    const std::string source = one.at("template").get<std::string>();
    SCOPED_TRACE(source);
    try {
      const std::string text = ChatTemplate(source).Render({}, options);
      if (one.at("text").is_null()) {
        ADD_FAILURE() << "Jinja refuses this; here it renders " << text;
      } else {
        EXPECT_EQ(text, one.at("text").get<std::string>());
      }
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("chat template: line "));
      if (!one.at("text").is_null()) ADD_FAILURE() << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, JinjaGolden,
                         testing::Values("white space", "literals", "operators", "statements", "filters",
                                         "tests", "methods"));

// ---- built-in templates ----

// The built-in template must render the conversations of a real model's golden file alike.
void ExpectLikeGolden(const char* name, const char* model, const Json& conversations) {
  const Json golden = ReadGolden("chat_templates.json");
  const Json& entry = golden.at(model);
  const ChatTemplateOptions options{.bos_token = Token(entry, "bos_token"),
                                    .eos_token = Token(entry, "eos_token")};
  for (const Json& index : conversations) {
    const Json& rendering = entry.at("renderings").at(index.get<size_t>());
    EXPECT_EQ(ChatTemplate::BuiltIn(name).Render(Messages(rendering.at("messages")), options),
              rendering.at("text").get<std::string>())
        << name << " like " << model;
  }
}

TEST(BuiltInTemplates, EqualThoseOfRealModels) {
  ExpectLikeGolden("chatml", "qwen3", {0, 1});
  ExpectLikeGolden("chatml", "smollm2", {1});  // without a system message SmolLM2 adds one
  ExpectLikeGolden("deepseek", "deepseek_v3", {0, 1});
  ExpectLikeGolden("gemma", "gemma3", {0, 1});
  ExpectLikeGolden("llama3", "llama3_1", {0, 1});
}

std::string RenderBuiltIn(const char* name, bool add_generation_prompt = true) {
  const std::vector<ChatMessage> messages = {
      {"system", "Be brief."}, {"user", "Hello"}, {"assistant", "Hi there"}, {"user", "Who are you"}};
  return ChatTemplate::BuiltIn(name).Render(
      messages, {.add_generation_prompt = add_generation_prompt, .bos_token = "<s>", .eos_token = "</s>"});
}

// Written by hand after the model cards: meta-llama/Llama-2-7b-chat-hf, mistralai/Mistral-7B-Instruct-v0.2,
// microsoft/Phi-3-mini-4k-instruct, HuggingFaceH4/zephyr-7b-beta.
TEST(BuiltInTemplates, EqualTheModelCards) {
  EXPECT_EQ(
      RenderBuiltIn("llama2"),
      "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi there </s><s>[INST] Who are you [/INST]");
  EXPECT_EQ(RenderBuiltIn("mistral"),
            "<s>[INST] Be brief.\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]");
  EXPECT_EQ(RenderBuiltIn("phi3"),
            "<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n"
            "<|user|>\nWho are you<|end|>\n<|assistant|>\n");
  EXPECT_EQ(RenderBuiltIn("zephyr"),
            "<|system|>\nBe brief.</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n"
            "<|user|>\nWho are you</s>\n<|assistant|>\n");
}

TEST(BuiltInTemplates, EndWithTheConversationWhenNoAnswerIsAskedFor) {
  for (const std::string& name : ChatTemplate::BuiltInNames()) {
    const std::string with = RenderBuiltIn(name.c_str(), true);
    const std::string without = RenderBuiltIn(name.c_str(), false);
    EXPECT_THAT(with, testing::StartsWith(without)) << name;
    EXPECT_THAT(without, testing::HasSubstr("Hi there")) << name;
    EXPECT_THAT(without, testing::Not(testing::EndsWith("assistant\n"))) << name;
  }
}

TEST(BuiltInTemplates, OfAnUnknownNameListsThem) {
  try {
    ChatTemplate::BuiltIn("claude");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "no chat template is called 'claude'; there are chatml, deepseek, gemma, llama2, llama3, mistral, "
        "phi3, zephyr");
  }
}

// ---- what a caller hands over ----

TEST(ChatMessage, FieldsAddAndReplace) {
  const std::vector<ChatMessage> messages = {
      {"user", "a", {{"name", "Bo"}}},
      {"assistant", "unseen", {{"content", nullptr}, {"tool_calls", {1, 2}}}}};
  EXPECT_EQ(ChatTemplate("{% for m in messages %}{{ m|tojson }};{% endfor %}").Render(messages, {}),
            R"({"role": "user", "content": "a", "name": "Bo"};)"
            R"({"role": "assistant", "content": null, "tool_calls": [1, 2]};)");
  const std::vector<ChatMessage> wrong = {{"user", "a", {1}}};
  EXPECT_THROW(ChatTemplate("x").Render(wrong, {}), Error);
}

TEST(ChatTemplateOptions, AreVariables) {
  const ChatTemplate chat_template(
      "{{ bos_token }}|{{ eos_token }}|{{ add_generation_prompt }}|{{ tools is none }}|{{ enable_thinking "
      "}}");
  EXPECT_EQ(chat_template.Render({}, {.bos_token = "<s>", .eos_token = "</s>"}), "<s>|</s>|True|True|");
  EXPECT_EQ(chat_template.Render({}, {.add_generation_prompt = false,
                                      .variables = {{"tools", {1}}, {"enable_thinking", true}}}),
            "||False|False|True");
}

TEST(ChatTemplate, RendersTwiceAlike) {
  const ChatTemplate chat_template(
      "{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ x }}"
      "{% set x = 1 %}{% macro m() %}m{% endmacro %}{{ m() }}");
  EXPECT_EQ(chat_template.Render({}, {}), "1m");
  EXPECT_EQ(ChatTemplate(chat_template).Render({}, {}), "1m");
}

}  // namespace
}  // namespace addend
