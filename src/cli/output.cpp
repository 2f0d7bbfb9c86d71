#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tokenizer/utf8.h"

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

void PrintText(std::string_view text) {
  static const bool raw = isatty(STDOUT_FILENO) == 0;
  Print(raw ? text : Visible(text));
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

std::string OneLine(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t control = ControlCharacter(text);
    line += control > 0 ? ' ' : text.front();
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return line;
}

std::string Visible(std::string_view text) {
  std::string visible;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t control = first == '\n' || first == '\t' ? 0 : ControlCharacter(text);
    if (control == 0) {
      visible += text.front();
    } else if (first < 0x20) {
      AppendUtf8(U'\u2400' + first, visible);
    } else {
      AppendUtf8(first == 0x7f ? U'\u2421' : U'\ufffd', visible);
    }
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return visible;
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

void PrintError(std::string_view text) {
  std::fprintf(stderr, "error: %s\n", Shortened(OneLine(text), kLongestError).c_str());
}

bool IsDumbTerminal() {
  const char* const name = std::getenv("TERM");
  return name == nullptr || std::string_view(name) == "dumb";
}

void PrintRemark(std::string_view text) {
  static const bool faint =
      isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr && !IsDumbTerminal();
  std::fprintf(stderr, faint ? "\033[2m[%s]\033[0m\n" : "[%s]\n", OneLine(text).c_str());
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
