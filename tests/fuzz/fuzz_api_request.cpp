// Any body gives a request or an ApiError, in bounded time and memory.
#include <string_view>

#include "serve/api_error.h"
#include "serve/api_request.h"

namespace {

template <typename Parse>
void Try(const Parse& parse) {
  try {
    parse();
  } catch (const addend::ApiError& error) {
    error.ToJson();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace addend;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Try([&] { ParseCompletionRequest(body, {}); });
  Try([&] { ParseChatRequest(body, {}); });
  Try([&] { ParseTokenizeRequest(body); });
  Try([&] { ParseDetokenizeRequest(body); });
  return 0;
}
