// What a request is refused with, in the form that clients of OpenAI's API expect.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace addend {

class ApiError : public Error {
 public:
  // `parameter`: the field that is wrong, "messages[0].role"; empty if it is none. `code`: a word for
  // programs, "context_length_exceeded"; may be empty.
  ApiError(int status, const std::string& message, std::string parameter = "", std::string code = "")
      : Error(message), status_(status), parameter_(std::move(parameter)), code_(std::move(code)) {}

  int status() const { return status_; }
  // {"error": {"message", "type", "param", "code"}}
  Json ToJson() const;

 private:
  int status_;
  std::string parameter_, code_;
};

}  // namespace addend
