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

}  // namespace
}  // namespace addend
