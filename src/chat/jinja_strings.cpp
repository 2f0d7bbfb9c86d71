#include "chat/jinja_strings.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

void AppendUpper(char32_t code, std::string& out) {
  if (code == U'ß') {
    out += "SS";
  } else {
    AppendUtf8(char32_t(utf8proc_toupper(utf8proc_int32_t(code))), out);
  }
}

void AppendTitle(char32_t code, std::string& out) {
  if (code == U'ß') {
    out += "Ss";
  } else {
    AppendUtf8(char32_t(utf8proc_totitle(utf8proc_int32_t(code))), out);
  }
}

void AppendLower(char32_t code, std::string& out) {
  AppendUtf8(char32_t(utf8proc_tolower(utf8proc_int32_t(code))), out);
}

bool IsCased(char32_t code) {
  const auto category = utf8proc_category(utf8proc_int32_t(code));
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

bool IsLineEnd(char32_t code) {
  return (code >= 0x0a && code <= 0x0d) || (code >= 0x1c && code <= 0x1e) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

// Cuts at runs of white space; the last part keeps what is inside it when the limit is reached.
std::vector<std::string> SplitAtSpace(std::string_view text, int64_t limit, bool from_right) {
  struct Word {
    size_t begin, end;
  };
  std::vector<Word> words;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const bool space = IsPythonSpace(NextCodePoint(text, at));
    if (space) {
      inside = false;
    } else if (inside) {
      words.back().end = at;
    } else {
      words.push_back({begin, at});
      inside = true;
    }
  }
  if (limit >= 0 && words.size() > uint64_t(limit) + 1) {
    const size_t kept = size_t(limit);
    if (from_right) {
      words.erase(words.begin() + 1, words.end() - ptrdiff_t(kept));
      words[0].end = words[0].begin;
      // The first part reaches from its word to the last one that was not cut off, without space at the end.
      const size_t stop = kept > 0 ? words[1].begin : text.size();
      words[0].begin = 0;
      words[0].end = stop;
    } else {
      words.resize(kept + 1);
      words[kept].end = text.size();
    }
  }
  std::vector<std::string> parts;
  for (const Word& word : words) parts.emplace_back(text.substr(word.begin, word.end - word.begin));
  return parts;
}

}  // namespace

bool IsPythonSpace(char32_t code) {
  return IsWhiteSpace(code) || (code >= 0x1c && code <= 0x1f);
}

size_t CountCodePoints(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

std::string Upper(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) AppendUpper(NextCodePoint(text, at), out);
  return out;
}

std::string Lower(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) AppendLower(NextCodePoint(text, at), out);
  return out;
}

std::string Capitalize(std::string_view text) {
  std::string out;
  size_t at = 0;
  if (!text.empty()) AppendTitle(NextCodePoint(text, at), out);
  return out + Lower(text.substr(at));
}

std::string TitleOfMethod(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t code = NextCodePoint(text, at);
    if (inside) {
      AppendLower(code, out);
    } else {
      AppendTitle(code, out);
    }
    inside = IsCased(code);
  }
  return out;
}

std::string TitleOfFilter(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t code = NextCodePoint(text, at);
    if (IsPythonSpace(code) || code == '-' || code == '(' || code == '{' || code == '[' || code == '<') {
      AppendUtf8(code, out);
      inside = false;
    } else if (inside) {
      AppendLower(code, out);
    } else {
      AppendUpper(code, out);
      inside = true;
    }
  }
  return out;
}

std::string Strip(std::string_view text, const std::string* chars, bool left, bool right, Budget& budget) {
  budget.Charge(1 + text.size() / 8 * (1 + (chars ? chars->size() / 8 : 0)));
  const auto goes = [&](std::string_view character) {
    size_t at = 0;
    return chars ? chars->find(character) != std::string::npos : IsPythonSpace(NextCodePoint(character, at));
  };
  while (left && !text.empty()) {
    size_t end = 0;
    NextCodePoint(text, end);
    if (!goes(text.substr(0, end))) break;
    text.remove_prefix(end);
  }
  while (right && !text.empty()) {
    const size_t begin = LastCharacter(text);
    if (!goes(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return std::string(text);
}

std::vector<std::string> Split(std::string_view text, const std::string* separator, int64_t limit,
                               bool from_right, Budget& budget) {
  budget.Charge(1 + (separator ? text.size() / 8 : 4 * text.size()));
  if (!separator) {
    std::vector<std::string> parts = SplitAtSpace(text, limit, from_right);
    if (from_right && limit >= 0 && !parts.empty()) parts[0] = Strip(parts[0], nullptr, false, true, budget);
    return parts;
  }
  if (separator->empty()) throw Error("split by an empty separator");
  budget.Charge(text.size() / 8 * std::min<size_t>(separator->size() / 8, 1024));
  std::vector<std::string> parts;
  if (from_right) {
    for (size_t cut; limit != 0 && (cut = text.rfind(*separator)) != std::string_view::npos; --limit) {
      budget.Charge(8);
      parts.emplace_back(text.substr(cut + separator->size()));
      text = text.substr(0, cut);
    }
    parts.emplace_back(text);
    std::reverse(parts.begin(), parts.end());
    return parts;
  }
  for (size_t cut; limit != 0 && (cut = text.find(*separator)) != std::string_view::npos; --limit) {
    budget.Charge(8);
    parts.emplace_back(text.substr(0, cut));
    text.remove_prefix(cut + separator->size());
  }
  parts.emplace_back(text);
  return parts;
}

std::vector<std::string> SplitLines(std::string_view text, Budget& budget) {
  budget.Charge(1 + 8 * text.size());
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t code = NextCodePoint(text, at);
    if (!IsLineEnd(code)) continue;
    lines.emplace_back(text.substr(begin, end - begin));
    if (code == '\r' && text.substr(at, 1) == "\n") ++at;
    begin = at;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string Replace(const std::string& text, const std::string& from, const std::string& to, int64_t limit,
                    Budget& budget) {
  budget.Charge(1 + text.size() / 8 * std::min<size_t>(from.size() / 8 + 1, 1024));
  std::string out;
  size_t at = 0;
  while (limit != 0) {
    const size_t found = text.find(from, at);
    if (found == std::string::npos) break;
    budget.ChargeBytes(to.size());
    out.append(text, at, found - at);
    out += to;
    at = found + from.size();
    --limit;
    if (!from.empty()) continue;
    // Python puts `to` around every character when `from` is empty.
    if (at >= text.size()) break;
    size_t next = at;
    NextCodePoint(text, next);
    out.append(text, at, next - at);
    at = next;
  }
  budget.ChargeBytes(text.size() - std::min(at, text.size()));
  return at < text.size() ? out.append(text, at) : out;
}

std::string EscapeHtml(std::string_view text, Budget& budget) {
  budget.ChargeBytes(5 * text.size());
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace addend::jinja
