// The chat page, page/index.html, which the build puts into the program (cmake/addend_embed.cmake).
#pragma once
#include <string_view>

namespace addend {

extern const std::string_view kChatPage;

}  // namespace addend
