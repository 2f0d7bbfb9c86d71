// Conversations on disk: {"messages": [{"role": "user", "content": "Hello"}, ...]}, as OpenAI's API has them.
#pragma once
#include <span>
#include <vector>

#include "base/file.h"
#include "chat/chat_template.h"

namespace addend {

// Only roles and contents, which are to be UTF-8. Throws Error when the file cannot be written, and when it
// holds something else than a conversation: a mistyped name must not cost somebody a model. What a crash
// interrupts leaves the old file.
void SaveConversation(const Path& path, std::span<const ChatMessage> messages);

// At most one system message, at the beginning; then questions of the user, each with the assistant's answer.
// Throws Error that names the file and the first message that is otherwise.
std::vector<ChatMessage> LoadConversation(const Path& path);

}  // namespace addend
