// A conversation to the token ids that a model reads: its chat template, rendered and encoded.
#pragma once
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace addend {

struct ChatPromptOptions {
  bool add_generation_prompt = true;  // end with the beginning of the assistant's answer
  Json variables = nullptr;           // tools, enable_thinking, ...: an object or null
  std::optional<std::time_t> now;     // for templates that write the date; the time of the call if not given
};

// Only the template writes special tokens, BOS included: none is added, and one that is spelled out in a
// message ("<|im_end|>" in its content, in other fields, in `variables`) stays text, so that nobody can end
// his turn and speak as somebody else. Hugging Face's apply_chat_template reads such a text as the token; for
// every other conversation the ids are equal to its ids. Roles are the caller's to check: a template may put
// a role into a token, as "<|user|>". Added tokens that are not special ("<think>" in Qwen3) are read
// everywhere, for models see their own answers so.
class ChatPrompt {
 public:
  // With the model's own template, or the built-in one of that name (ChatTemplate::BuiltInNames()). Throws
  // Error that lists those names when there is no such template, or when the model has none and none is
  // named; and what ChatTemplate throws.
  explicit ChatPrompt(Tokenizer tokenizer, const std::optional<std::string>& built_in = std::nullopt);
  ChatPrompt(Tokenizer tokenizer, ChatTemplate chat_template);

  // Throws what ChatTemplate::Render throws: the template refuses the conversation, or is broken. May be
  // called from several threads.
  std::vector<TokenId> Encode(std::span<const ChatMessage> messages,
                              const ChatPromptOptions& options = {}) const;

 private:
  Tokenizer tokenizer_;
  ChatTemplate template_;
  std::string bos_, eos_;  // texts
};

}  // namespace addend
