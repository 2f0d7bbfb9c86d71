// From the bytes of tokens, as they come, to text that may be shown at once.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace addend {

// Holds back what may still change: the first bytes of a UTF-8 character, and text that may become a stop
// string (which may span tokens). Everything given out is valid UTF-8; bytes that are not become U+FFFD.
class TextStream {
 public:
  // The text ends before the first occurrence of any of these. Throws Error when one is empty.
  explicit TextStream(std::vector<std::string> stop_strings);

  // Adds a token's bytes; returns the text that is certain now. After a stop string was found, always "".
  std::string Push(std::string_view bytes);
  // Returns what was held back: nothing more will come.
  std::string Finish();
  bool stopped() const { return stopped_; }  // a stop string was found

 private:
  size_t FindStop() const;
  size_t HeldBack() const;

  std::vector<std::string> stop_strings_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace addend
