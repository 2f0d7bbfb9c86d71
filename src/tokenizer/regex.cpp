#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>

#include "base/error.h"

namespace addend {
namespace {

// Walks over a pattern once, copying what both engines agree on.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string Run() {
    while (at_ < pattern_.size()) {
      if (Peek() == '\\') {
        Escape();
      } else if (in_set_) {
        InSet();
      } else {
        OutsideSet();
      }
    }
    return std::move(result_);
  }

 private:
  char Peek(size_t offset = 0) const {
    return at_ + offset < pattern_.size() ? pattern_[at_ + offset] : '\0';
  }
  bool StartsWith(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void Copy(size_t count) {
    result_ += pattern_.substr(at_, count);
    at_ += count;
  }
  void Replace(size_t count, std::string_view with) {
    result_ += with;
    at_ += count;
  }
  [[noreturn]] void Refuse(std::string_view what) const {
    throw Error(what, " at byte ", at_, " is not supported");
  }

  void OutsideSet() {
    static constexpr std::array<std::string_view, 7> kGroups = {
        "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    if (Peek() == '(' && Peek(1) == '?') {
      const auto* group =
          std::find_if(kGroups.begin(), kGroups.end(), [&](auto open) { return StartsWith(open); });
      if (group == kGroups.end()) Refuse("the group '" + std::string(pattern_.substr(at_, 4)) + "'");
      return Copy(group->size());
    }
    if (StartsWith("(*")) Refuse("'(*'");
    if (StartsWith("{,")) Refuse("'{,'");                  // PCRE2 10.42 takes it literally
    if (StartsWith("}+")) Refuse("'+' behind a '{...}'");  // possessive only in PCRE2
    if (Peek() == '[') {
      in_set_ = true;
      Copy(Peek(1) == '^' ? 2 : 1);
      if (Peek() == ']') Copy(1);  // a literal ']'
      return;
    }
    Copy(1);
  }

  void InSet() {
    if (Peek() == '[') Refuse("a set inside a set");
    if (StartsWith("&&")) Refuse("'&&'");
    if (Peek() == ']') in_set_ = false;
    Copy(1);
  }

  void Escape() {
    const char kind = Peek(1);
    switch (kind) {
      case 's':  // PCRE2's own \s also has U+180E
        return Replace(2, "\\p{White_Space}");
      case 'S':
        return Replace(2, "\\P{White_Space}");
      case 'w':  // PCRE2's own \w lacks marks and connectors
        return Replace(2, in_set_ ? kWord : "[" + kWord + "]");
      case 'W':
        if (in_set_) Refuse("'\\W' in a set");
        return Replace(2, "[^" + kWord + "]");
      case 'v':
        return Replace(2, "\\x0B");
      case 'u':
        return Replace(6, "\\x{" + std::string(pattern_.substr(std::min(at_ + 2, pattern_.size()), 4)) + "}");
      case 'p':
      case 'P':
        return Property();
      default:
        break;
    }
    static constexpr std::string_view kSame = "dDrntfaexAzZ";
    const bool alphanumeric =
        (kind >= '0' && kind <= '9') || (kind >= 'a' && kind <= 'z') || (kind >= 'A' && kind <= 'Z');
    if (kind == '\0' || (alphanumeric && kSame.find(kind) == kSame.npos))
      Refuse("'\\" + std::string(1, kind) + "'");
    Copy(2);
  }

  // General categories have the same names; a script's name means the script in Oniguruma, but its extensions
  // in PCRE2.
  void Property() {
    const size_t close = pattern_.find('}', at_);
    if (Peek(2) != '{' || close == pattern_.npos) return Copy(2);
    const std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    const bool category = name.size() <= 2 || (name.size() == 3 && name[0] == '^');
    if (category) return Copy(close + 1 - at_);
    Replace(close + 1 - at_, std::string("\\") + Peek(1) + "{sc:" + std::string(name) + "}");
  }

  inline static const std::string kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

  std::string_view pattern_;
  size_t at_ = 0;
  bool in_set_ = false;
  std::string result_;
};

struct FreePcre {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

std::string ErrorText(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

pcre2_code* Compile(const std::string& pattern) {
  const std::unique_ptr<pcre2_compile_context, FreePcre> context(pcre2_compile_context_create(nullptr));
  if (context == nullptr) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  // MULTILINE: ^ and $ always look at lines in Ruby's syntax.
  const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE;
  int error = 0;
  size_t where = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                                   &error, &where, context.get());
  if (code == nullptr) throw Error(ErrorText(error));
  // Where there is no JIT (a hardened kernel), the interpreter gives the same matches, slower.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return code;
}

// One run over one text.
class Matcher {
 public:
  Matcher(const pcre2_code* code, std::string_view text, const std::string& pattern)
      : code_(code),
        text_(text),
        pattern_(pattern),
        data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (data_ == nullptr || context_ == nullptr) throw std::bad_alloc();
    // Sound patterns backtrack over a run of characters a few times at most. The limit is for those that
    // would never end.
    const size_t limit = 10'000'000 + 50 * text.size();
    pcre2_set_match_limit(context_.get(), static_cast<uint32_t>(std::min<size_t>(limit, UINT32_MAX)));
  }

  bool FindFrom(size_t start, Span& match) const {
    int found = Match(start, 0);
    // The JIT's own stack is small on purpose; the interpreter uses the heap.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = Match(start, PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) throw Error("the pattern '", pattern_, "' cannot be matched: ", ErrorText(found));
    const size_t* offsets = pcre2_get_ovector_pointer(data_.get());
    match = {offsets[0], offsets[1]};
    return true;
  }

 private:
  int Match(size_t start, uint32_t options) const {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), start,
                       options | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
  }

  const pcre2_code* code_;
  std::string_view text_;
  const std::string& pattern_;
  std::unique_ptr<pcre2_match_data, FreePcre> data_;
  std::unique_ptr<pcre2_match_context, FreePcre> context_;
};

}  // namespace

std::string PcreFromOniguruma(std::string_view pattern) {
  return Translator(pattern).Run();
}

Regex::Regex(std::string_view pattern, std::string_view origin) : pattern_(pattern) {
  try {
    code_.reset(Compile(PcreFromOniguruma(pattern)), pcre2_code_free);
  } catch (const Error& error) {
    throw Error(origin, ": pattern '", pattern.substr(0, 200), "': ", error.what());
  }
}

Regex Regex::Literal(std::string text) {
  Regex regex;
  regex.pattern_ = std::move(text);
  return regex;
}

Regex Regex::FromJson(const Json& json, std::string_view origin) {
  if (json.is_object() && json.contains("Regex"))
    return Regex(JsonField<std::string>(json, "Regex", origin), origin);
  auto text = JsonField<std::string>(json, "String", origin);
  if (text.empty()) throw Error(origin, ": an empty string cannot be a pattern");
  return Literal(std::move(text));
}

void Regex::FindLiteral(std::string_view text, std::vector<Span>& matches) const {
  for (size_t at = text.find(pattern_); at != text.npos; at = text.find(pattern_, at + pattern_.size()))
    matches.push_back({at, at + pattern_.size()});
}

void Regex::FindAll(std::string_view text, std::vector<Span>& matches) const {
  matches.clear();
  if (code_ == nullptr) return FindLiteral(text, matches);
  const Matcher matcher(code_.get(), text, pattern_);
  Span match;
  size_t start = 0;
  while (start <= text.size() && matcher.FindFrom(start, match)) {
    const bool empty = match.begin == match.end;
    if (!empty || matches.empty() || matches.back().end != match.begin) {
      matches.push_back(match);
      start = match.end;
    } else {  // an empty match right behind the last one: look again one character on
      start = match.end;
      if (start == text.size()) break;
      NextCodePoint(text, start);
    }
  }
}

std::string Regex::ReplaceAll(std::string_view text, std::string_view replacement) const {
  std::vector<Span> matches;
  FindAll(text, matches);
  std::string result;
  size_t copied = 0;
  for (const Span& match : matches) {
    result += text.substr(copied, match.begin - copied);
    result += replacement;
    copied = match.end;
  }
  return result += text.substr(copied);
}

}  // namespace addend
