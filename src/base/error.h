// The one exception type of the libraries. Its text is one line for a person: it names the file, the thing,
// what was found and what was needed. Only `main` and the server print it.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace addend {

class Error : public std::runtime_error {
 public:
  // Error(path, ": tensor '", name, "' has ", found, " rows, ", needed, " are needed")
  template <typename First, typename... Rest>
  explicit Error(const First& first, const Rest&... rest) : std::runtime_error(Join(first, rest...)) {}

 private:
  template <typename... Parts>
  static std::string Join(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    return text.str();
  }
};

// The user asked to stop (Ctrl-C). What was finished is on disk; this is no failure of the work itself.
class Interrupted : public Error {
 public:
  using Error::Error;
};

// Runs `work`; an Error that leaves it gets `context` and ": " put in front.
template <typename Work>
auto WithContext(const std::string& context, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    throw Error(context, ": ", error.what());
  }
}

}  // namespace addend
