#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace addend {
namespace {

// Bytes of the control character that `text` begins with (ASCII's, or 0x80 to 0x9f as UTF-8); 0 when none.
size_t ControlCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  return byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0x9f ? 2 : 0;
}

bool IsInsideCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

void Print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EPIPE) {
      throw OutputClosed("standard output: nobody reads it any more");
    } else if (errno != EINTR) {
      throw Error("standard output: cannot write: ", std::strerror(errno));
    }
  }
}

void PrintJson(const Json& value) {
  Print(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void PrintResult(const Json& json, std::string_view text, bool as_json) {
  if (as_json) {
    PrintJson(json);
  } else {
    Print(text);
  }
}

std::string Format(const char* format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(static_cast<size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

std::string OneLine(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t control = ControlCharacter(text);
    line += control > 0 ? ' ' : text.front();
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return line;
}

std::string Shortened(const std::string& text, size_t most) {
  constexpr std::string_view kGap = " ... ";
  if (text.size() <= most) return text;
  size_t head = (most - kGap.size()) / 2;
  size_t tail = text.size() - head;
  while (head > 0 && IsInsideCharacter(text[head])) --head;
  while (tail < text.size() && IsInsideCharacter(text[tail])) ++tail;
  return text.substr(0, head) + std::string(kGap) + text.substr(tail);
}

void PrintNote(std::string_view text) {
  std::fprintf(stderr, "note: %s\n", OneLine(text).c_str());
}

void NoteLongContext(size_t tokens, size_t trained) {
  if (tokens <= trained) return;
  PrintNote(Format("a context of %zu tokens is longer than the %zu that the model was trained for", tokens,
                   trained));
}

void ReserveStandardStreams() {
  // Each for the other direction, so that using it is still an error.
  constexpr int kFlags[] = {O_WRONLY, O_RDONLY, O_RDONLY};
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", kFlags[stream]);  // takes the lowest free number
  }
}

}  // namespace addend
