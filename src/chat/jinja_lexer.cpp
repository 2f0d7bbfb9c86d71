#include "chat/jinja_lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "chat/jinja_strings.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string_view WithoutSpaceAtEnd(std::string_view text) {
  while (!text.empty()) {
    const size_t last = LastCharacter(text);
    size_t at = last;
    if (!IsPythonSpace(NextCodePoint(text, at))) break;
    text = text.substr(0, last);
  }
  return text;
}

// "\r\n" and "\r" become "\n"; one newline at the end goes.
std::string NormalizeNewlines(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (source.substr(i + 1, 1) == "\n") ++i;
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(NormalizeNewlines(source)) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) ReadText();
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void Fail(size_t line, const std::string& what) const { throw Error(AtLine(line), what); }

  std::string_view Rest() const { return std::string_view(source_).substr(at_); }
  bool Sees(std::string_view text) const { return Rest().starts_with(text); }

  // Moves to `end` and counts the lines on the way.
  void MoveTo(size_t end) {
    line_ += size_t(std::count(source_.begin() + ptrdiff_t(at_), source_.begin() + ptrdiff_t(end), '\n'));
    at_ = end;
  }
  // Behind the white space at `at`.
  size_t SpaceEnd(size_t at) const {
    for (size_t next = at; next < source_.size(); at = next) {
      if (!IsPythonSpace(NextCodePoint(source_, next))) break;
    }
    return at;
  }
  // Whether there was white space.
  bool SkipSpace() {
    const size_t end = SpaceEnd(at_);
    return end > at_ && (MoveTo(end), true);
  }

  void Add(TokenKind kind, std::string text) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::move(text)});
  }

  // The text up to the next tag, then that tag.
  void ReadText() {
    const size_t begin = at_;
    size_t tag = begin;
    while (tag < source_.size()) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        tag = source_.size();
      } else if (source_[tag + 1] == '%' || source_[tag + 1] == '{' || source_[tag + 1] == '#') {
        break;
      } else {
        ++tag;
      }
    }
    if (tag >= source_.size()) {
      AddText(Rest());
      MoveTo(source_.size());
      return;
    }
    const char type = source_[tag + 1];
    const char sign = SignAt(tag + 2);
    AddText(Stripped(std::string_view(source_).substr(begin, tag - begin), sign, type != '{'));
    MoveTo(tag + 2 + (sign != 0));
    if (type == '#') {
      ReadComment();
    } else if (type == '{') {
      Add(TokenKind::kOutputBegin, "");
      ReadTag("}}", TokenKind::kOutputEnd);
    } else if (const size_t end = RawBegin(); end != 0) {
      ReadRaw(end);
    } else {
      Add(TokenKind::kBlockBegin, "");
      ReadTag("%}", TokenKind::kBlockEnd);
    }
  }

  char SignAt(size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : char(0);
  }

  // The text before a tag: "-" strips all white space, and a block's or comment's indent goes, unless "+"
  // keeps it.
  std::string_view Stripped(std::string_view text, char sign, bool strips_indent) const {
    if (sign == '-') return WithoutSpaceAtEnd(text);
    if (sign == '+' || !strips_indent) return text;
    const size_t newline = text.rfind('\n');
    const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (line_begin == 0 && !line_starting_) return text;
    return WithoutSpaceAtEnd(text.substr(line_begin)).empty() ? text.substr(0, line_begin) : text;
  }

  void AddText(std::string_view text) {
    if (!text.empty()) Add(TokenKind::kText, std::string(text));
  }

  // The end of a tag, at_ standing on it: "-" swallows the white space behind it, a block or comment one
  // newline.
  void FinishTag(char sign, size_t length, bool trims_newline) {
    const size_t begin = at_;
    MoveTo(at_ + (sign != 0) + length);
    if (sign == '-') {
      SkipSpace();
    } else if (sign == 0 && trims_newline && Sees("\n")) {
      MoveTo(at_ + 1);
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  void ReadComment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) Fail(line_, "a comment has no end: '#}' is missing");
    const char sign = end > at_ ? SignAt(end - 1) : char(0);
    MoveTo(end - (sign != 0));
    FinishTag(sign, 2, true);
  }

  // Where the tag {% raw %} ends, at_ standing behind its "{%" and sign; 0 if it is another tag.
  size_t RawBegin() const { return WordTagEnd("raw", at_); }

  size_t WordTagEnd(std::string_view word, size_t at) const {
    at = SpaceEnd(at);
    if (!std::string_view(source_).substr(at).starts_with(word)) return 0;
    at = SpaceEnd(at + word.size());
    const std::string_view rest = std::string_view(source_).substr(at);
    return rest.starts_with("%}") || rest.starts_with("-%}") || rest.starts_with("+%}") ? at : 0;
  }

  void ReadRaw(size_t tag_end) {
    const size_t raw_line = line_;
    MoveTo(tag_end);
    FinishTag(SignAt(at_), 2, false);
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 2)) {
      const char sign = SignAt(tag + 2);
      const size_t end = WordTagEnd("endraw", tag + 2 + (sign != 0));
      if (end == 0) continue;
      AddText(Stripped(Rest().substr(0, tag - at_), sign, true));
      MoveTo(end);
      FinishTag(SignAt(at_), 2, true);
      return;
    }
    Fail(raw_line, "{% raw %} has no {% endraw %}");
  }

  void ReadTag(std::string_view closing, TokenKind end_kind) {
    const size_t tag_line = line_;
    std::string open;  // brackets that wait for their partner
    const bool is_block = end_kind == TokenKind::kBlockEnd;
    while (true) {
      if (at_ >= source_.size())
        Fail(tag_line, "a tag has no end: '" + std::string(closing) + "' is missing");
      const char sign = SignAt(at_);
      const bool may_sign = sign == '-' || (sign == '+' && is_block);
      if (open.empty() && (Sees(closing) || (may_sign && Rest().substr(1).starts_with(closing)))) {
        Add(end_kind, "");
        FinishTag(Sees(closing) ? char(0) : sign, 2, is_block);
        return;
      }
      if (SkipSpace()) continue;
      if (IsDigit(source_[at_])) {
        ReadNumber();
      } else if (IsNameStart(source_[at_])) {
        size_t end = at_;
        while (end < source_.size() && (IsNameStart(source_[end]) || IsDigit(source_[end]))) ++end;
        Add(TokenKind::kName, source_.substr(at_, end - at_));
        MoveTo(end);
      } else if (source_[at_] == '\'' || source_[at_] == '"') {
        ReadString();
      } else {
        ReadOperator(open);
      }
    }
  }

  void ReadOperator(std::string& open) {
    static constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                                      "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                      ">",  "<",  "=",  ".",  ":",  "|",  ","};
    for (const std::string_view text : kOperators) {
      if (!Sees(text)) continue;
      if (text == "(" || text == "[" || text == "{") {
        open += text == "(" ? ')' : text == "[" ? ']' : '}';
      } else if (text == ")" || text == "]" || text == "}") {
        if (open.empty()) Fail(line_, "unexpected '" + std::string(text) + "'");
        if (open.back() != text[0])
          Fail(line_, "unexpected '" + std::string(text) + "', expected '" + open.back() + "'");
        open.pop_back();
      }
      Add(TokenKind::kOperator, std::string(text));
      MoveTo(at_ + text.size());
      return;
    }
    size_t end = at_;
    NextCodePoint(source_, end);
    Fail(line_, "unexpected character '" + source_.substr(at_, end - at_) + "'");
  }

  size_t DigitsEnd(size_t at) const {
    while (at < source_.size() && (IsDigit(source_[at]) || (source_[at] == '_' && at + 1 < source_.size() &&
                                                            IsDigit(source_[at + 1]))))
      ++at;
    return at;
  }

  void ReadNumber() {
    if (Sees("0x") || Sees("0X") || Sees("0b") || Sees("0B") || Sees("0o") || Sees("0O"))
      Fail(line_, "numbers in base 2, 8 and 16 are not supported");
    const bool after_point = !tokens_.empty() && tokens_.back().IsOperator(".");
    size_t end = DigitsEnd(at_);
    bool is_float = false;
    const auto digit_at = [&](size_t at) { return at < source_.size() && IsDigit(source_[at]); };
    if (!after_point && source_.substr(end, 1) == "." && digit_at(end + 1)) {
      is_float = true;
      end = DigitsEnd(end + 1);
    }
    if (!after_point && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t digits = end + 1 + (SignAt(end + 1) != 0);
      if (digit_at(digits)) {
        is_float = true;
        end = DigitsEnd(digits);
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    Add(is_float ? TokenKind::kFloat : TokenKind::kInteger, text);
    const char* last = text.data() + text.size();
    const auto result = is_float ? std::from_chars(text.data(), last, tokens_.back().real)
                                 : std::from_chars(text.data(), last, tokens_.back().integer);
    if (result.ec != std::errc() || result.ptr != last)
      Fail(line_, "the number " + text.substr(0, 40) + " is too large");
    MoveTo(end);
  }

  void ReadString() {
    const char quote = source_[at_];
    const size_t begin_line = line_;
    std::string text;
    size_t i = at_ + 1;
    while (i < source_.size() && source_[i] != quote) {
      if (source_[i] == '\\' && i + 1 < source_.size()) {
        ReadEscape(i, text);
      } else {
        text += source_[i++];
      }
    }
    if (i >= source_.size()) Fail(begin_line, "a string has no end");
    Add(TokenKind::kString, std::move(text));
    MoveTo(i + 1);
  }

  // Python's escapes, `i` standing on the backslash. An unknown one stays as it is written.
  void ReadEscape(size_t& i, std::string& text) {
    static constexpr std::string_view kLetters = "ntr\\'\"abfv";
    static constexpr std::string_view kMeaning = "\n\t\r\\'\"\a\b\f\v";
    const char c = source_[i + 1];
    if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
      text += kMeaning[letter];
      i += 2;
    } else if (c == '\n') {
      i += 2;
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      size_t end = i + 1;
      while (end < i + 4 && end < source_.size() && source_[end] >= '0' && source_[end] <= '7')
        code = code * 8 + char32_t(source_[end++] - '0');
      AppendUtf8(code, text);
      i = end;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      uint32_t code = 0;
      const char* first = source_.data() + std::min(i + 2, source_.size());
      const char* last = source_.data() + std::min(i + 2 + digits, source_.size());
      const auto result = std::from_chars(first, last, code, 16);
      if (result.ec != std::errc() || result.ptr != first + digits || code > 0x10ffff ||
          (code >= 0xd800 && code < 0xe000))
        Fail(line_, std::string("a string has a wrong escape '\\") + c + "'");
      AppendUtf8(code, text);
      i += 2 + digits;
    } else if (c == 'N') {
      Fail(line_, "the escape '\\N' is not supported");
    } else {
      text += '\\';
      ++i;
    }
  }

  std::string source_;
  size_t at_ = 0;
  size_t line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string AtLine(size_t line) {
  return "line " + std::to_string(line) + ": ";
}

std::vector<Token> Tokenize(std::string_view source) {
  return Lexer(source).Run();
}

}  // namespace addend::jinja
