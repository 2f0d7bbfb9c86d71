// Values as text: Python's str, repr and json.dumps.
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "chat/jinja_value.h"
#include "tokenizer/utf8.h"

namespace addend::jinja {
namespace {

// Python's repr of a float: the shortest digits that read back equal, with an exponent below 1e-4 and from
// 1e16, and always a point or an exponent.
std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const double size = std::abs(value);
  const bool exponent = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer, end.ptr);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void AppendHex(std::string_view prefix, uint32_t code, int digits, std::string& out) {
  out += prefix;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[(code >> shift) & 15];
}

bool IsPrintable(char32_t code) {
  if (code < 0x7f) return code >= 0x20;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

void AppendQuoted(const std::string& text, std::string& out) {
  const bool single = text.find('\'') == std::string::npos || text.find('"') != std::string::npos;
  const char quote = single ? '\'' : '"';
  out += quote;
  for (size_t at = 0; at < text.size();) {
    const char32_t code = NextCodePoint(text, at);
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\\' || code == char32_t(quote)) {
      out += {'\\', char(code)};
    } else if (IsPrintable(code)) {
      AppendUtf8(code, out);
    } else if (code < 0x100) {
      AppendHex("\\x", code, 2, out);
    } else if (code < 0x10000) {
      AppendHex("\\u", code, 4, out);
    } else {
      AppendHex("\\U", code, 8, out);
    }
  }
  out += quote;
}

// Values are at most Limits::kValueDepth deep, so recursion is bounded.
void AppendRepr(const Value& value, std::string& out, Budget& budget) {
  budget.Charge(2);
  if (value.IsString()) {
    budget.ChargeBytes(4 * value.string().size());
    AppendQuoted(value.string(), out);
  } else if (value.IsIterator()) {
    throw Error("the result of a filter such as 'map' has no text; '|list' makes a list of it");
  } else if (value.IsSequence()) {
    out += value.IsTuple() ? '(' : '[';
    for (size_t i = 0; i < value.items().size(); ++i) {
      if (i > 0) out += ", ";
      AppendRepr(value.items()[i], out, budget);
    }
    if (value.IsTuple() && value.items().size() == 1) out += ',';
    out += value.IsTuple() ? ')' : ']';
  } else if (value.IsDict()) {
    out += '{';
    for (size_t i = 0; i < value.pairs().size(); ++i) {
      if (i > 0) out += ", ";
      AppendRepr(value.pairs()[i].first, out, budget);
      out += ": ";
      AppendRepr(value.pairs()[i].second, out, budget);
    }
    out += '}';
  } else if (value.IsUndefined()) {
    out += "Undefined";
  } else {
    out += ToText(value, budget);
  }
}

// In UTF-16, as JSON has it.
void AppendJsonEscape(char32_t code, std::string& out) {
  if (code >= 0x10000) {
    AppendHex("\\u", 0xd800 + ((code - 0x10000) >> 10), 4, out);
    code = 0xdc00 + ((code - 0x10000) & 0x3ff);
  }
  AppendHex("\\u", code, 4, out);
}

void AppendJsonString(const std::string& text, bool ascii, std::string& out) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const char32_t code = NextCodePoint(text, at);
    switch (code) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (code < 0x20 || (ascii && code >= 0x7f)) {
          AppendJsonEscape(code, out);
        } else {
          AppendUtf8(code, out);
        }
    }
  }
  out += '"';
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void Append(const Value& value, size_t level) {
    budget_.Charge(2);
    if (value.IsString()) {
      budget_.ChargeBytes(6 * value.string().size());
      AppendJsonString(value.string(), style_.ascii, out);
    } else if (value.IsSequence() && !value.IsIterator()) {
      AppendSequence(value, level);
    } else if (value.IsDict()) {
      AppendDict(value, level);
    } else if (value.IsNone()) {
      out += "null";
    } else if (value.IsBool()) {
      out += value.Truth() ? "true" : "false";
    } else if (value.IsFloat() && !std::isfinite(value.AsDouble())) {
      out += std::isnan(value.AsDouble()) ? "NaN" : value.AsDouble() < 0 ? "-Infinity" : "Infinity";
    } else if (value.IsNumber()) {
      out += ToText(value, budget_);
    } else {
      throw Error("JSON has no form for ", value.Describe());
    }
  }

  std::string out;

 private:
  void AppendSequence(const Value& value, size_t level) {
    out += '[';
    for (size_t i = 0; i < value.items().size(); ++i) {
      Separate(i, level + 1);
      Append(value.items()[i], level + 1);
    }
    if (!value.items().empty()) NewLine(level);
    out += ']';
  }

  void AppendDict(const Value& value, size_t level) {
    std::vector<std::pair<std::string, Value>> pairs;
    for (const auto& [key, item] : value.pairs()) pairs.emplace_back(Key(key), item);
    if (style_.sort_keys) {
      budget_.Charge(16 * pairs.size());
      std::stable_sort(pairs.begin(), pairs.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    out += '{';
    for (size_t i = 0; i < pairs.size(); ++i) {
      Separate(i, level + 1);
      AppendJsonString(pairs[i].first, style_.ascii, out);
      out += style_.key_separator;
      Append(pairs[i].second, level + 1);
    }
    if (!pairs.empty()) NewLine(level);
    out += '}';
  }

  std::string Key(const Value& key) {
    if (key.IsString()) {
      budget_.ChargeBytes(8 * key.string().size());
      return key.string();
    }
    if (key.IsNone()) return "null";
    if (key.IsBool()) return key.Truth() ? "true" : "false";
    if (key.IsNumber()) return ToText(key, budget_);
    throw Error("a key of a JSON object cannot be ", key.Describe());
  }

  void Separate(size_t index, size_t level) {
    if (index > 0) {
      budget_.ChargeBytes(style_.item_separator.size() + style_.key_separator.size());
      out += style_.item_separator;
    }
    NewLine(level);
  }

  void NewLine(size_t level) {
    if (style_.indent < 0) return;
    budget_.ChargeBytes(level * size_t(style_.indent));
    out += '\n';
    out.append(level * size_t(style_.indent), ' ');
  }

  const JsonStyle& style_;
  Budget& budget_;
};

}  // namespace

std::string ToText(const Value& value, Budget& budget) {
  budget.Charge(1);
  if (value.IsUndefined()) return "";
  if (value.IsNone()) return "None";
  if (value.IsBool()) return value.Truth() ? "True" : "False";
  if (value.IsInteger()) return std::to_string(value.AsInteger());
  if (value.IsFloat()) return FloatText(value.AsDouble());
  if (value.IsString()) {
    budget.ChargeBytes(value.string().size());
    return value.string();
  }
  if (value.IsSequence() || value.IsDict()) return ToRepr(value, budget);
  throw Error(value.Describe(), " has no text");
}

std::string ToRepr(const Value& value, Budget& budget) {
  std::string out;
  AppendRepr(value, out, budget);
  return out;
}

std::string ToJson(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.Append(value, 0);
  return std::move(writer.out);
}

}  // namespace addend::jinja
