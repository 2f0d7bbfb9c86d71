#include "base/json.h"

namespace addend {

Json ParseJson(std::string_view text, std::string_view origin) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw Error(origin, ": not valid JSON: byte ", error.byte, " of ", text.size());
  } catch (const Json::exception&) {
    throw Error(origin, ": not valid JSON: a number is out of range");  // 1e999
  }
}

}  // namespace addend
