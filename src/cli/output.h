// Standard output, checked: a full disk is an Error, a reader that went away (`| head`) ends the program
// quietly. Commands print results through these and nothing else; progress and notes go to stderr.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "base/json.h"

namespace addend {

// Nobody reads standard output any more: no failure, but no reason to go on.
class OutputClosed : public Error {
 public:
  using Error::Error;
};

// Writes at once, unbuffered, so that streamed text shows as it comes. Throws OutputClosed, or Error.
void Print(std::string_view text);
// What a model wrote: as it is, but on a terminal, which escape sequences in it could make do anything, as
// Visible gives it.
void PrintText(std::string_view text);
// Indented, with a newline. Strings that are not UTF-8 (names from files) are printed with U+FFFD.
void PrintJson(const Json& value);

// What a command found, in one of its two forms: every command with numbers has both.
void PrintResult(const Json& json, std::string_view text, bool as_json);

// Without control characters, which text from a file may hold: one line that cannot redraw a terminal.
std::string OneLine(std::string_view text);
// With line ends and tabs, and with signs in place of other control characters: U+241B for escape.
std::string Visible(std::string_view text);
// At most `most` bytes (at least 20): the middle is left out where that is needed, for what is wrong often
// stands at the end. Cuts between characters of UTF-8.
std::string Shortened(const std::string& text, size_t most);

inline constexpr size_t kLongestError = 500;  // a damaged file may hold a name of 100 kB

// "note: TEXT", on one line of standard error.
void PrintNote(std::string_view text);
// "error: TEXT", shortened, on one line of standard error: of what goes on after it.
void PrintError(std::string_view text);
// Does the user's terminal ($TERM) not know any sequences?
bool IsDumbTerminal();
// "[TEXT]", on one line of standard error; faint on a terminal.
void PrintRemark(std::string_view text);
// A note when the user asks for a longer context than the model was trained for.
void NoteLongContext(size_t tokens, size_t trained);

// Closed standard streams are opened on /dev/null: else the next file opened gets their number, and what is
// printed would end up in it.
void ReserveStandardStreams();

}  // namespace addend
