#include "serve/api_error.h"

namespace addend {
namespace {

const char* TypeOf(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

Json TextOrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

}  // namespace

Json ApiError::ToJson() const {
  return {{"error",
           {{"message", what()},
            {"type", TypeOf(status_)},
            {"param", TextOrNull(parameter_)},
            {"code", TextOrNull(code_)}}}};
}

}  // namespace addend
