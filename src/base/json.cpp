#include "base/json.h"

#include <vector>

namespace addend {
namespace {

// A scan of the text, which need not be JSON.
void CheckLimits(std::string_view text, std::string_view origin, const JsonLimits& limits) {
  std::vector<size_t> members;  // of each list or object that is open
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      members.push_back(0);
      if (members.size() > limits.depth)
        throw Error(origin, ": JSON is nested more than ", limits.depth, " levels deep");
    } else if ((c == ']' || c == '}') && !members.empty()) {
      members.pop_back();
    } else if (c == ':' && !members.empty() && ++members.back() > limits.members) {
      throw Error(origin, ": an object has more than ", limits.members, " members");
    }
  }
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view origin, const JsonLimits& limits) {
  CheckLimits(text, origin, limits);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw Error(origin, ": not valid JSON: byte ", error.byte, " of ", text.size());
  } catch (const Json::exception&) {
    throw Error(origin, ": not valid JSON: a number is out of range");  // 1e999
  }
}

}  // namespace addend
