// Any bytes give a text or an Error, in bounded time and memory.
#include <string>

#include "base/error.h"
#include "chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace addend;
  static const std::vector<ChatMessage> messages = {
      {.role = "system", .content = "Be brief."},
      {.role = "user", .content = "Grüße, 世界"},
      {.role = "assistant", .content = "4", .fields = {{"tool_calls", {{{"name", "f"}, {"x", 1.5}}}}}},
  };
  static const ChatTemplateOptions options{
      .bos_token = "<s>", .eos_token = "</s>", .variables = {{"xs", {3, 1, 2}}}, .now = 1700000000};
  try {
    ChatTemplate(std::string(reinterpret_cast<const char*>(data), size)).Render(messages, options);
  } catch (const Error&) {
  }
  return 0;
}
