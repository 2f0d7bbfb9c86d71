#include "chat/conversation_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class ConversationFile : public testing::Test {
 protected:
  void ExpectRefused(const std::string& content, const std::string& why) {
    WriteFileAtomically(path_, content);
    EXPECT_THAT([&] { LoadConversation(path_); },
                ThrowsMessage<Error>(testing::AllOf(HasSubstr(path_.string()), HasSubstr(why))))
        << content;
  }
  void ExpectMessagesRefused(const std::string& messages, const std::string& why) {
    ExpectRefused("{\"messages\": [" + messages + "]}", why);
  }

  test::TemporaryFolder folder_;
  Path path_ = folder_ / "chat.json";
};

TEST_F(ConversationFile, ComesBackAsItWas) {
  const std::vector<ChatMessage> messages = {
      {"system", "Be \"brief\"."}, {"user", "Grüße\n漢字 \x1b[2J"}, {"assistant", ""}};
  for (const auto count : {3, 1, 0}) {
    SaveConversation(path_, std::span(messages).first(count));  // over the one before
    const std::vector<ChatMessage> loaded = LoadConversation(path_);
    ASSERT_EQ(loaded.size(), static_cast<size_t>(count));
    for (size_t i = 0; i < loaded.size(); ++i) {
      EXPECT_EQ(loaded[i].role, messages[i].role);
      EXPECT_EQ(loaded[i].content, messages[i].content);
    }
  }
}

TEST_F(ConversationFile, OtherFilesAreNotReplaced) {
  WriteFileAtomically(path_, "my diary");
  EXPECT_THAT([&] { SaveConversation(path_, {}); },
              ThrowsMessage<Error>(HasSubstr("not saved, for another file is there: ")));
  EXPECT_EQ(ReadTextFile(path_), "my diary");
  EXPECT_THROW(SaveConversation("/dev/null", {}), Error);
  EXPECT_THROW(SaveConversation(folder_.path(), {}), Error);
  EXPECT_THROW(SaveConversation(folder_ / "none" / "chat.json", {}), Error);
}

TEST_F(ConversationFile, IsReadStrictly) {
  ExpectRefused("", "not valid JSON");
  ExpectRefused("{\"messages\": [", "not valid JSON");
  ExpectRefused("{\"messages\": []} x", "not valid JSON");
  ExpectRefused("\xff", "not valid JSON");
  ExpectRefused("[", "not valid JSON");
  ExpectRefused(std::string(100'000, '['), "nested");
  ExpectRefused("[]", "is array, an object is needed");
  ExpectRefused("{}", "messages");
  ExpectRefused(R"({"messages": {}})", "a list is needed");
  ExpectRefused(R"({"messages": [], "model": "x"})", "'model'");
  ExpectMessagesRefused("3", "message 1 is number");
  ExpectMessagesRefused(R"({"role": "user"})", "content");
  ExpectMessagesRefused(R"({"role": "user", "content": null})", "content");
  ExpectMessagesRefused(R"({"role": 3, "content": ""})", "role");
  ExpectMessagesRefused(R"({"role": "user", "content": "", "name": "x"})", "'name'");
  ExpectMessagesRefused(R"({"role": "user", "content": ""})", "an answer to it is needed");
  ExpectMessagesRefused(R"({"role": "assistant", "content": ""})", "'user' is needed");
  ExpectMessagesRefused(R"({"role": "tool", "content": ""})", "'tool'");
  ExpectMessagesRefused(R"({"role": "user", "content": ""}, {"role": "user", "content": ""})",
                        "message 2 has the role 'user', 'assistant' is needed");
  ExpectMessagesRefused(R"({"role": "system", "content": ""}, {"role": "system", "content": ""})",
                        "message 2");
  EXPECT_THROW(LoadConversation("/dev/zero"), Error);
  EXPECT_THROW(LoadConversation(folder_ / "none.json"), Error);
}

}  // namespace
}  // namespace addend
