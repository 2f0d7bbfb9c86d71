#include "base/json.h"

namespace addend {
namespace {

// Copying and printing a value recurse into it, so what a file may nest is limited.
constexpr size_t kDeepest = 500;

// Brackets that are open at once, outside of strings. Of text that is not JSON, any number.
bool IsTooDeep(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kDeepest) return true;
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view origin) {
  if (IsTooDeep(text)) throw Error(origin, ": JSON is nested more than ", kDeepest, " levels deep");
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw Error(origin, ": not valid JSON: byte ", error.byte, " of ", text.size());
  } catch (const Json::exception&) {
    throw Error(origin, ": not valid JSON: a number is out of range");  // 1e999
  }
}

}  // namespace addend
