// Chat templates: a conversation to the text that a model was trained to continue, as Hugging Face's
// apply_chat_template renders it.
#pragma once
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace addend {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"; the template decides which it knows
  std::string content;
  // More fields, and other values for those above, as the template sees them: tool_calls, name,
  // reasoning_content, a content that is null or a list of parts. An object or null.
  Json fields = nullptr;
};

struct ChatTemplateOptions {
  bool add_generation_prompt = true;  // end with the beginning of the assistant's answer
  std::string bos_token;              // texts; templates write them where the model wants them
  std::string eos_token;
  Json variables = nullptr;  // tools, documents, enable_thinking, ...: an object or null; wins over the above
  std::optional<std::time_t> now;  // for strftime_now; the time of the call if not given
};

class ChatTemplate {
 public:
  // `source` is Jinja. Throws Error "chat template: line 3: ..." when it is no template or uses tags that are
  // not supported. Unknown filters, tests and functions are errors only where rendering meets them.
  explicit ChatTemplate(std::string source);

  // A template by name; throws Error listing the names when there is none of that name.
  static ChatTemplate BuiltIn(std::string_view name);
  static std::vector<std::string> BuiltInNames();

  // Throws Error with the line when the template refuses the conversation (raise_exception), when it does
  // something that is not supported, or when it takes too long or too much memory: it came with a file and is
  // not trusted. Text that is not UTF-8 gets U+FFFD. May be called from several threads.
  std::string Render(std::span<const ChatMessage> messages, const ChatTemplateOptions& options) const;

  const std::string& source() const { return source_; }

 private:
  struct Parsed;
  std::string source_;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace addend
