// Lines that a user types, or that a script sends.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace addend {

struct InputLine {
  enum class Kind { kText, kInterrupt, kEnd };  // a line; Ctrl-C; no more lines
  Kind kind = Kind::kText;
  std::string text;  // UTF-8 without the line end; after Ctrl-C, what had been typed
};

class LineInput {
 public:
  virtual ~LineInput() = default;
  // Waits for a line. Throws Error when it cannot be read.
  virtual InputLine Read(const std::string& prompt) = 0;
  // Makes `text` the latest of the lines that the user can go back to.
  virtual void Remember(const std::string& text) = 0;
};

// Standard input as it is: no prompt is shown, nothing can be edited, an interrupt is thrown.
std::unique_ptr<LineInput> PlainLineInput();

// A terminal at standard input and error: libedit's editing and history (~/.editrc works), in which pasted
// text is one line, whatever line ends it has. `history`: lines of before, oldest first.
std::unique_ptr<LineInput> TerminalLineInput(const std::vector<std::string>& history);

}  // namespace addend
