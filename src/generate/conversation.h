// A chat of any length with a model: questions in, answers out.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/chat_prompt.h"
#include "generate/session.h"

namespace addend {

struct Answer {
  Generation generation;
  size_t forgotten = 0;  // turns that the model does not see any more, from this answer on
};

// What the context cannot hold any more is forgotten: the oldest turns, in pairs of question and answer,
// while the system prompt stays. A prompt leaves room for the answer: for max_tokens, but at most a quarter
// of the context. When it no longer does, turns go until half of the context is free, so that the next few
// answers again reuse the keys and values of the turns before. messages() keeps all turns.
class Conversation {
 public:
  // Keeps a reference to the session, which must outlive it. `variables`: for the template, as
  // ChatPromptOptions has them.
  Conversation(Session& session, ChatPrompt prompt, Json variables = nullptr);

  // The model's answer, streamed to `sink`. The seed of the sampling moves on with every answer: equal seeds
  // give equal conversations, not equal answers. An interrupt keeps the answer as far as it came, and drops
  // the question where none came. Throws Error, and leaves the conversation as it was: when the message alone
  // is too long, saying how long it may be, and what ChatPrompt and Session throw.
  Answer Ask(std::string question, const GenerateOptions& options, const TextSink& sink = {});
  // Another answer to the last question in place of the last one. Throws Error when there is none.
  Answer AskAgain(const GenerateOptions& options, const TextSink& sink = {});

  void SetSystem(std::string text);  // empty: none; then the template may have one of its own
  void Reset();                      // forgets all turns; the system prompt stays
  // Goes on from these, system prompt included, as LoadConversation gives them.
  void Replace(const std::vector<ChatMessage>& messages);

  std::vector<ChatMessage> messages() const { return Messages(0, turns()); }  // all
  size_t turns() const { return turns_.size(); }
  size_t forgotten() const { return first_; }

 private:
  struct Turn {
    std::string question, answer;
  };
  struct Prompt {
    std::vector<TokenId> tokens;
    size_t first = 0;  // turn that the model sees
  };

  Answer Generate(const std::string& question, size_t turns_before, GenerateOptions options,
                  const TextSink& sink);
  Prompt Fit(const std::string& question, size_t turns_before, size_t kept_for_answer) const;
  std::vector<ChatMessage> Messages(size_t first, size_t end) const;  // the system prompt and these turns
  std::vector<TokenId> Encode(size_t first, size_t end, const std::string& question) const;
  [[noreturn]] void ThrowTooLong(size_t tokens, size_t kept_for_answer) const;

  Session& session_;
  ChatPrompt prompt_;
  ChatPromptOptions prompt_options_;
  std::string system_;
  std::vector<Turn> turns_;
  size_t first_ = 0;    // turns before it are forgotten
  size_t answers_ = 0;  // generated so far
};

}  // namespace addend
