// Reading a JSON object that somebody sent: every member is taken by name and checked, and what nobody took
// is refused, so that a parameter is either honoured or named in an error, never ignored.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"

namespace addend {

// Parses the body of a request. Throws ApiError (400) when it is no JSON or nested too deeply.
Json ParseBody(std::string_view body);

// Members that are missing and those that are null are the same. All throw ApiError (400) that names the
// member when it is of another type or out of range.
class JsonFields {
 public:
  // `path`: what stands before the names in errors, "messages[0]"; empty for the body. `object` must outlive
  // this.
  JsonFields(const Json& object, std::string path);

  const Json* Take(const char* name);  // null when there is none
  const Json& Require(const char* name);
  std::optional<std::string> TakeText(const char* name);
  std::optional<bool> TakeFlag(const char* name);
  std::optional<uint64_t> TakeCount(const char* name, uint64_t least, uint64_t most);
  std::optional<double> TakeNumber(const char* name, double least, double most);

  // A member that only this value is allowed for, because it is what happens anyway.
  void TakeOnly(const char* name, const Json& allowed, std::string_view why);
  // One without an effect on the answer.
  void Ignore(const char* name) { taken_.insert(name); }
  // To be called at the end.
  void RefuseOthers() const;

  std::string PathTo(std::string_view name) const;

 private:
  const Json& object_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

// "a list", "the number 3", "the text 'abc'", short: for messages.
std::string DescribeJson(const Json& value);
[[noreturn]] void ThrowWrongValue(const std::string& path, const Json& value, std::string_view needed);

}  // namespace addend
