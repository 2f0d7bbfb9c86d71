#include "chat/chat_prompt.h"

#include "base/error.h"
#include "base/format.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

ChatTemplate TemplateOf(const Tokenizer& tokenizer, const std::optional<std::string>& built_in) {
  if (built_in) return ChatTemplate::BuiltIn(*built_in);
  if (!tokenizer.chat_template().empty()) return ChatTemplate(tokenizer.chat_template());
  throw Error("the model has no chat template; name one with --chat-template: ",
              Joined(ChatTemplate::BuiltInNames()));
}

std::string TextOf(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? tokenizer.Text(*id) : "";
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A character that is in none of the texts: one of those that Unicode keeps for uses inside of programs.
std::string UnusedCharacter(std::span<const ChatMessage> messages, const Json& variables) {
  const std::string variables_text = Dump(variables);
  for (char32_t code_point = 0xfdd0; code_point <= 0xfdef; ++code_point) {
    const std::string character = Utf8(code_point);
    const auto has = [&](const std::string& text) { return text.find(character) != std::string::npos; };
    bool used = has(variables_text);
    for (const ChatMessage& message : messages)
      used = used || has(message.role) || has(message.content) || has(Dump(message.fields));
    if (!used) return character;
  }
  throw Error("the conversation holds all of the characters U+FDD0 to U+FDEF; one must be free");
}

// All strings of a JSON value with MarkPlain's marks.
class Marker {
 public:
  Marker(const Tokenizer& tokenizer, std::string mark) : tokenizer_(tokenizer), mark_(std::move(mark)) {}

  const std::string& mark() const { return mark_; }

  std::string Marked(const std::string& text) const { return tokenizer_.MarkPlain(text, mark_); }

  Json Marked(const Json& value) const {
    if (value.is_string()) return Marked(value.get_ref<const std::string&>());
    if (!value.is_structured()) return value;
    Json marked = value.is_object() ? Json::object() : Json::array();
    for (const auto& [key, item] : value.items()) {
      if (value.is_object()) {
        marked[Marked(key)] = Marked(item);
      } else {
        marked.push_back(Marked(item));
      }
    }
    return marked;
  }

  std::vector<ChatMessage> Marked(std::span<const ChatMessage> messages) const {
    std::vector<ChatMessage> marked;
    for (const ChatMessage& message : messages)
      marked.push_back({message.role, Marked(message.content), Marked(message.fields)});
    return marked;
  }

 private:
  const Tokenizer& tokenizer_;
  std::string mark_;
};

}  // namespace

ChatPrompt::ChatPrompt(Tokenizer tokenizer, const std::optional<std::string>& built_in)
    : ChatPrompt(tokenizer, TemplateOf(tokenizer, built_in)) {}

ChatPrompt::ChatPrompt(Tokenizer tokenizer, ChatTemplate chat_template)
    : tokenizer_(std::move(tokenizer)),
      template_(std::move(chat_template)),
      bos_(TextOf(tokenizer_, tokenizer_.bos())),
      eos_(TextOf(tokenizer_, tokenizer_.eos())) {}

std::vector<TokenId> ChatPrompt::Encode(std::span<const ChatMessage> messages,
                                        const ChatPromptOptions& options) const {
  const Marker marker(tokenizer_, UnusedCharacter(messages, options.variables));
  const std::string text =
      template_.Render(marker.Marked(messages), {.add_generation_prompt = options.add_generation_prompt,
                                                 .bos_token = bos_,
                                                 .eos_token = eos_,
                                                 .variables = marker.Marked(options.variables),
                                                 .now = options.now});
  return tokenizer_.Encode(text, {.parse_special = true, .plain_mark = marker.mark()});
}

}  // namespace addend
