#include "generate/text_stream.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

// Bytes at the end of `text` that begin a character without finishing it, by what its first byte announces.
// If the rest then does not fit, they were held back for nothing and become U+FFFD.
size_t UnfinishedCharacter(std::string_view text) {
  for (size_t length = 1; length <= std::min<size_t>(3, text.size()); ++length) {
    const auto byte = static_cast<uint8_t>(text[text.size() - length]);
    if ((byte & 0xc0) == 0x80) continue;  // not a first byte
    const size_t announced = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return announced > length ? length : 0;
  }
  return 0;
}

}  // namespace

TextStream::TextStream(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) {
    if (stop.empty()) throw Error("a stop string is empty; it would end every text at once");
  }
}

std::string TextStream::Push(std::string_view bytes) {
  if (stopped_) return "";
  pending_ += bytes;
  size_t certain = FindStop();
  if (certain != std::string::npos) {
    stopped_ = true;
  } else {
    certain = pending_.size() - HeldBack();
  }
  std::string text = ReplaceInvalidUtf8(std::string_view(pending_).substr(0, certain));
  pending_.erase(0, certain);
  return text;
}

std::string TextStream::Finish() {
  std::string text = stopped_ ? "" : ReplaceInvalidUtf8(pending_);
  pending_.clear();
  return text;
}

// Where the first stop string begins, or npos.
size_t TextStream::FindStop() const {
  size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) first = std::min(first, pending_.find(stop));
  return first;
}

size_t TextStream::HeldBack() const {
  size_t held = UnfinishedCharacter(pending_);
  for (const std::string& stop : stop_strings_) {
    for (size_t length = std::min(stop.size() - 1, pending_.size()); length > held; --length) {
      if (pending_.ends_with(std::string_view(stop).substr(0, length))) held = length;
    }
  }
  return held;
}

}  // namespace addend
