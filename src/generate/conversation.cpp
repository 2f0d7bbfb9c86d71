#include "generate/conversation.h"

#include <algorithm>

#include "base/error.h"

namespace addend {
namespace {

bool CameToNothing(const Answer& answer) {
  return answer.generation.finish == FinishReason::kInterrupted && answer.generation.text.empty();
}

}  // namespace

Conversation::Conversation(Session& session, ChatPrompt prompt, Json variables)
    : session_(session), prompt_(std::move(prompt)), prompt_options_{.variables = std::move(variables)} {}

Answer Conversation::Ask(std::string question, const GenerateOptions& options, const TextSink& sink) {
  Answer answer = Generate(question, turns_.size(), options, sink);
  if (!CameToNothing(answer)) turns_.push_back({std::move(question), answer.generation.text});
  return answer;
}

Answer Conversation::AskAgain(const GenerateOptions& options, const TextSink& sink) {
  if (turns_.empty()) throw Error("there is no answer yet that could be given again");
  Answer answer = Generate(turns_.back().question, turns_.size() - 1, options, sink);
  if (!CameToNothing(answer)) turns_.back().answer = answer.generation.text;
  return answer;
}

void Conversation::SetSystem(std::string text) {
  system_ = std::move(text);
}

void Conversation::Reset() {
  turns_.clear();
  first_ = 0;
}

void Conversation::Replace(const std::vector<ChatMessage>& messages) {
  Reset();
  system_.clear();
  for (const ChatMessage& message : messages) {
    if (message.role == "system") {
      system_ = message.content;
    } else if (message.role == "user") {
      turns_.push_back({message.content, ""});
    } else {
      turns_.back().answer = message.content;
    }
  }
}

std::vector<ChatMessage> Conversation::Messages(size_t first, size_t end) const {
  std::vector<ChatMessage> messages;
  if (!system_.empty()) messages.push_back({"system", system_});
  for (size_t i = first; i < end; ++i) {
    messages.push_back({"user", turns_[i].question});
    messages.push_back({"assistant", turns_[i].answer});
  }
  return messages;
}

Answer Conversation::Generate(const std::string& question, size_t turns_before, GenerateOptions options,
                              const TextSink& sink) {
  const size_t kept_for_answer = std::max<size_t>(std::min(session_.context() / 4, options.max_tokens), 1);
  const Prompt prompt = Fit(question, turns_before, kept_for_answer);
  options.sampling.seed += answers_;
  Answer answer{.generation = session_.Generate(prompt.tokens, options, sink),
                .forgotten = prompt.first - first_};
  ++answers_;
  first_ = prompt.first;
  return answer;
}

// The first `turns_before` turns and the question, without as many of the oldest turns as is needed.
Conversation::Prompt Conversation::Fit(const std::string& question, size_t turns_before,
                                       size_t kept_for_answer) const {
  const size_t context = session_.context();
  Prompt prompt{.tokens = Encode(first_, turns_before, question), .first = first_};
  if (prompt.tokens.size() + kept_for_answer <= context) return prompt;

  size_t fewest = first_, most = turns_before;  // turns to forget
  while (fewest < most) {
    const size_t middle = (fewest + most) / 2;
    if (Encode(middle, turns_before, question).size() <= context / 2) {
      most = middle;
    } else {
      fewest = middle + 1;
    }
  }
  prompt = {.tokens = Encode(most, turns_before, question), .first = most};
  if (prompt.tokens.size() + kept_for_answer > context) ThrowTooLong(prompt.tokens.size(), kept_for_answer);
  return prompt;
}

std::vector<TokenId> Conversation::Encode(size_t first, size_t end, const std::string& question) const {
  std::vector<ChatMessage> messages = Messages(first, end);
  messages.push_back({"user", question});
  return prompt_.Encode(messages, prompt_options_);
}

// `tokens`: of the prompt without any turn before.
void Conversation::ThrowTooLong(size_t tokens, size_t kept_for_answer) const {
  const size_t context = session_.context();
  const size_t around = Encode(0, 0, "").size();
  const size_t taken = around + kept_for_answer;
  if (taken >= context)
    throw Error("the system prompt and the template take ", around, " tokens; together with ",
                kept_for_answer, " for an answer, the context of ", context, " has no room for a message");
  throw Error("the message has ", tokens - around, " tokens, at most ", context - taken,
              " fit: the context holds ", context, ", of which ", kept_for_answer,
              " are kept for the answer and ", around, " go to the system prompt and the template");
}

}  // namespace addend
