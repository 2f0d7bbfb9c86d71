#include "generate/conversation.h"

#include <gmock/gmock.h>

#include <csignal>

#include "base/error.h"
#include "base/interrupt.h"
#include "generate/test_support.h"
#include "support.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

// A message is a letter for its role, its bytes and a line end, each one token; "a" asks for an answer.
constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role[0] }}{{ m.content }}\n{% endfor %}a{{ mark }}";
constexpr size_t kContext = 96;
constexpr size_t kAnswer = 8;

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() {
    options_.max_tokens = kAnswer;
    options_.sampling.temperature = 1.5f;
  }

  size_t PromptTokens(std::span<const ChatMessage> messages) const { return prompt_.Encode(messages).size(); }
  // What the model is to see after it forgot turns: the system message, the turns left, and the question.
  std::vector<ChatMessage> Seen(const std::string& question) const {
    std::vector<ChatMessage> seen = conversation_.messages();
    const auto first = seen.begin() + (seen.front().role == "system" ? 1 : 0);
    seen.erase(first, first + static_cast<std::ptrdiff_t>(2 * conversation_.forgotten()));
    seen.push_back({"user", question});
    return seen;
  }

  const Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  ThreadPool pool_{1};
  Transformer transformer_{model_, pool_};
  const Tokenizer tokenizer_ = test::ByteTokenizer();
  Session session_{transformer_, tokenizer_, kContext};
  const ChatPrompt prompt_{tokenizer_, ChatTemplate(kTemplate)};
  Conversation conversation_{session_, prompt_};
  GenerateOptions options_;
};

TEST_F(ConversationTest, KeepsWhatWasSaid) {
  std::string streamed;
  const Answer first = conversation_.Ask("Hello", options_, [&](std::string_view piece) {
    streamed += piece;
    return true;
  });
  EXPECT_EQ(first.generation.text, streamed);
  EXPECT_EQ(first.generation.statistics.prompt_tokens, 8u);
  EXPECT_EQ(first.generation.statistics.reused_tokens, 0u);
  const Answer second = conversation_.Ask("again", options_);
  EXPECT_GE(second.generation.statistics.reused_tokens, 8u);
  EXPECT_EQ(second.forgotten, 0u);

  const std::vector<ChatMessage> messages = conversation_.messages();
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, "Hello");
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(messages[1].content, streamed);
  EXPECT_EQ(messages[3].content, second.generation.text);
  EXPECT_EQ(second.generation.statistics.prompt_tokens, PromptTokens(std::span(messages).first(3)));
}

TEST_F(ConversationTest, ForgetsTheOldestTurnsWhenTheContextIsFull) {
  conversation_.SetSystem("short");
  size_t times = 0, forgotten = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string question(5, static_cast<char>('a' + i));
    const size_t tokens_before = PromptTokens(Seen(question));
    const Answer answer = conversation_.Ask(question, options_);
    const size_t prompt = answer.generation.statistics.prompt_tokens;
    forgotten += answer.forgotten;
    EXPECT_EQ(conversation_.forgotten(), forgotten);
    EXPECT_LE(prompt + kAnswer, kContext);
    if (answer.forgotten > 0) {
      ++times;
      EXPECT_GT(tokens_before + kAnswer, kContext) << "there was room for everything";
      EXPECT_LE(prompt, kContext / 2);
    } else {
      EXPECT_EQ(prompt, tokens_before);
    }
  }
  EXPECT_GT(times, 2u);
  EXPECT_LT(times, 10u) << "the prompt is read anew too often";
  EXPECT_EQ(conversation_.turns(), 20u);
  EXPECT_EQ(conversation_.messages().size(), 41u);
  EXPECT_EQ(conversation_.messages()[1].content, "aaaaa");
}

TEST_F(ConversationTest, AMessageMayBeSoLong) {
  conversation_.SetSystem("1234");
  conversation_.Ask("first", options_);
  // 6 for the system message, 3 around this one.
  const size_t most = kContext - kAnswer - 6 - 3;
  EXPECT_THAT(
      [&] { conversation_.Ask(std::string(most + 1, 'x'), options_); },
      ThrowsMessage<Error>("the message has 80 tokens, at most 79 fit: the context holds 96, of which 8 "
                           "are kept for the answer and 9 go to the system prompt and the template"));
  EXPECT_EQ(conversation_.turns(), 1u);
  EXPECT_EQ(conversation_.forgotten(), 0u);
  EXPECT_EQ(conversation_.Ask(std::string(most, 'x'), options_).forgotten, 1u);
  EXPECT_EQ(conversation_.turns(), 2u);

  conversation_.SetSystem(std::string(kContext, 'x'));
  EXPECT_THAT([&] { conversation_.Ask("x", options_); }, ThrowsMessage<Error>(HasSubstr("has no room")));
}

TEST_F(ConversationTest, WithoutALimitAQuarterIsKeptForTheAnswer) {
  options_.max_tokens = kUntilContextIsFull;
  EXPECT_THROW(conversation_.Ask(std::string(kContext - kContext / 4 - 2, 'x'), options_), Error);
  const Answer answer = conversation_.Ask(std::string(kContext - kContext / 4 - 3, 'x'), options_);
  EXPECT_GE(answer.generation.tokens.size(), 1u);
}

TEST_F(ConversationTest, AnswersDifferAndConversationsRepeat) {
  EXPECT_THAT([&] { conversation_.AskAgain(options_); }, ThrowsMessage<Error>(HasSubstr("no answer yet")));
  const std::string first = conversation_.Ask("Hello", options_).generation.text;
  const std::string again = conversation_.AskAgain(options_).generation.text;
  EXPECT_NE(first, again);
  ASSERT_EQ(conversation_.turns(), 1u);
  EXPECT_EQ(conversation_.messages()[1].content, again);

  Conversation other(session_, prompt_);
  EXPECT_EQ(other.Ask("Hello", options_).generation.text, first);
  EXPECT_EQ(other.AskAgain(options_).generation.text, again);
}

TEST_F(ConversationTest, AnInterruptKeepsWhatCame) {
  CatchInterrupts();
  const auto interrupt = [](std::string_view) {
    if (!InterruptRequested()) std::raise(SIGINT);  // a second one would end the process
    return true;
  };
  const Answer cut = conversation_.Ask("Hello", options_, interrupt);
  EXPECT_EQ(cut.generation.finish, FinishReason::kInterrupted);
  EXPECT_EQ(InterruptSignal(), SIGINT);
  ASSERT_EQ(conversation_.turns(), 1u);
  EXPECT_FALSE(conversation_.messages()[1].content.empty());

  const std::string answer = conversation_.messages()[1].content;
  conversation_.Ask("unheard", options_);  // the interrupt still stands
  conversation_.AskAgain(options_);
  ClearInterrupt();
  EXPECT_EQ(conversation_.turns(), 1u);
  EXPECT_EQ(conversation_.messages()[1].content, answer);
}

TEST_F(ConversationTest, GoesOnFromOtherMessages) {
  const std::vector<ChatMessage> messages = {
      {"system", "s"}, {"user", "q"}, {"assistant", "a"}, {"user", "r"}, {"assistant", ""}};
  conversation_.Ask("old", options_);
  conversation_.Replace(messages);
  ASSERT_EQ(conversation_.messages().size(), 5u);
  EXPECT_EQ(conversation_.messages()[2].content, "a");
  EXPECT_EQ(conversation_.Ask("t", options_).generation.statistics.prompt_tokens, 3u + 3 + 3 + 3 + 2 + 3 + 1);

  conversation_.Reset();
  EXPECT_EQ(conversation_.turns(), 0u);
  EXPECT_EQ(conversation_.Ask("t", options_).generation.statistics.prompt_tokens, 3u + 3 + 1);
  conversation_.Replace({});
  EXPECT_TRUE(conversation_.messages().empty());
}

TEST_F(ConversationTest, HandsVariablesToTheTemplate) {
  Conversation marked(session_, prompt_, {{"mark", "!!"}});
  EXPECT_EQ(marked.Ask("t", options_).generation.statistics.prompt_tokens, 3u + 1 + 2);
}

// The template refuses the conversation: nothing is changed.
TEST_F(ConversationTest, ErrorsLeaveItAsItWas) {
  const ChatPrompt strict(tokenizer_,
                          ChatTemplate("{{ raise_exception('no') if messages[0].content == 'x' }}a"));
  Conversation conversation(session_, strict);
  conversation.Ask("y", options_);
  conversation.SetSystem("x");
  EXPECT_THAT([&] { conversation.Ask("z", options_); }, ThrowsMessage<Error>(HasSubstr("no")));
  EXPECT_THAT([&] { conversation.AskAgain(options_); }, ThrowsMessage<Error>(HasSubstr("no")));
  EXPECT_EQ(conversation.turns(), 1u);
}

}  // namespace
}  // namespace addend
