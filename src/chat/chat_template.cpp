#include "chat/chat_template.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "chat/built_in_templates.h"
#include "chat/jinja_evaluator.h"
#include "chat/jinja_parser.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

const char* const kContext = "chat template";

jinja::Body ParseChecked(const std::string& source) {
  if (source.size() > jinja::Limits::kSourceBytes)
    throw Error("it has ", source.size(), " bytes, at most ", jinja::Limits::kSourceBytes, " are supported");
  return jinja::Parse(ReplaceInvalidUtf8(source));
}

void AddFields(const Json& fields, const char* what, Json& object) {
  if (fields.is_null()) return;
  if (!fields.is_object()) throw Error(what, " must be a JSON object, found ", fields.type_name());
  for (const auto& [key, value] : fields.items()) object[key] = value;
}

Json MessagesToJson(std::span<const ChatMessage> messages) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    Json object = {{"role", message.role}, {"content", message.content}};
    AddFields(message.fields, "the fields of a message", object);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

struct ChatTemplate::Parsed {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::string source) : source_(std::move(source)) {
  parsed_ = WithContext(kContext, [&] { return std::make_shared<const Parsed>(ParseChecked(source_)); });
}

ChatTemplate ChatTemplate::BuiltIn(std::string_view name) {
  for (const BuiltInTemplate& known : BuiltInTemplates()) {
    if (known.name == name) return ChatTemplate(std::string(known.source));
  }
  throw Error("no chat template is called '", name, "'; there are ", Joined(BuiltInNames()));
}

std::vector<std::string> ChatTemplate::BuiltInNames() {
  std::vector<std::string> names;
  for (const BuiltInTemplate& known : BuiltInTemplates()) names.emplace_back(known.name);
  return names;
}

std::string ChatTemplate::Render(std::span<const ChatMessage> messages,
                                 const ChatTemplateOptions& options) const {
  return WithContext(kContext, [&] {
    // As in Hugging Face: `tools` and `documents` are always there, as none.
    Json variables = {{"messages", MessagesToJson(messages)},
                      {"add_generation_prompt", options.add_generation_prompt},
                      {"bos_token", options.bos_token},
                      {"eos_token", options.eos_token},
                      {"tools", nullptr},
                      {"documents", nullptr}};
    AddFields(options.variables, "the variables of a chat template", variables);
    jinja::Budget budget;
    jinja::NamedValues values;
    for (const auto& [name, value] : variables.items())
      values.emplace_back(name, jinja::Value::FromJson(value, budget));
    return jinja::Render(parsed_->body, std::move(values), options.now.value_or(std::time(nullptr)), budget);
  });
}

}  // namespace addend
