#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "cli/line_input.h"

namespace addend {
namespace {

// Reads by itself: the library's streams would not notice an interrupt.
class PlainInput : public LineInput {
 public:
  InputLine Read(const std::string&) override {
    size_t end = pending_.find('\n');
    while (end == std::string::npos && !ended_) {
      const size_t searched = pending_.size();
      ReadMore();
      end = pending_.find('\n', searched);
    }
    if (end == std::string::npos && pending_.empty()) return {.kind = InputLine::Kind::kEnd};
    InputLine line{.text = pending_.substr(0, end)};
    pending_.erase(0, end == std::string::npos ? end : end + 1);
    if (line.text.ends_with('\r')) line.text.pop_back();
    return line;
  }
  void Remember(const std::string&) override {}

 private:
  void ReadMore() {
    std::array<char, 1 << 16> buffer;
    WaitForInput(STDIN_FILENO);
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno != EINTR) throw Error("standard input: cannot read: ", std::strerror(errno));
    if (count > 0) pending_.append(buffer.data(), static_cast<size_t>(count));
    ended_ = count == 0;
  }

  std::string pending_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<LineInput> PlainLineInput() {
  return std::make_unique<PlainInput>();
}

}  // namespace addend
