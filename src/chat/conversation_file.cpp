#include "chat/conversation_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"

namespace addend {
namespace {

void CheckKeys(const Json& object, std::initializer_list<std::string_view> known, const std::string& where) {
  if (!object.is_object()) throw Error(where, " is ", object.type_name(), ", an object is needed");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(where, " has the key '", key, "', which is not supported");
  }
}

ChatMessage ReadMessage(const Json& json, const std::string& where) {
  CheckKeys(json, {"role", "content"}, where);
  return {.role = JsonField<std::string>(json, "role", where),
          .content = JsonField<std::string>(json, "content", where)};
}

// The role that a message has after `before`, which is empty at the beginning.
std::string_view NextRole(std::string_view before) {
  return before == "user" ? "assistant" : "user";
}

std::vector<ChatMessage> ReadMessages(const Json& list, const std::string& origin) {
  std::vector<ChatMessage> messages;
  std::string before;
  for (const Json& json : list) {
    const std::string where = origin + ": message " + std::to_string(messages.size() + 1);
    ChatMessage message = ReadMessage(json, where);
    const bool system = messages.empty() && message.role == "system";
    if (!system && message.role != NextRole(before))
      throw Error(where, " has the role '", message.role, "', '", NextRole(before), "' is needed there");
    before = message.role;
    messages.push_back(std::move(message));
  }
  if (before == "user") throw Error(origin, ": the last message is the user's, an answer to it is needed");
  return messages;
}

}  // namespace

void SaveConversation(const Path& path, std::span<const ChatMessage> messages) {
  if (std::filesystem::exists(path)) {
    WithContext("not saved, for another file is there", [&] { LoadConversation(path); });
  }
  Json list = Json::array();
  for (const ChatMessage& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  const Json file = {{"messages", std::move(list)}};
  WriteFileAtomically(path, file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<ChatMessage> LoadConversation(const Path& path) {
  const MappedFile file(path);  // and not a device, which may have no end
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const std::string origin = path.string();
  const Json json = ParseJson(text, origin);
  CheckKeys(json, {"messages"}, origin + ": the file");
  const auto list = JsonField<Json>(json, "messages", origin);
  if (!list.is_array()) throw Error(origin, ": 'messages' is ", list.type_name(), ", a list is needed");
  return ReadMessages(list, origin);
}

}  // namespace addend
