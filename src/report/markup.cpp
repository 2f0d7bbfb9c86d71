#include "report/markup.h"

#include "tokenizer/utf8.h"

namespace addend {
namespace {

// The Char of XML 1.0. Control characters of the second block are allowed there, but no text needs them.
bool IsXmlCharacter(char32_t c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  return !(c >= 0x7f && c <= 0x9f) && c != 0xfffe && c != 0xffff;
}

std::string Escaped(std::string_view text) {
  const std::string valid = ReplaceInvalidUtf8(text);
  std::string escaped;
  for (size_t at = 0; at < valid.size();) {
    const char32_t c = NextCodePoint(valid, at);
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        AppendUtf8(IsXmlCharacter(c) ? c : U'\uFFFD', escaped);
    }
  }
  return escaped;
}

std::string OpenTag(std::string_view name, Attributes attributes) {
  std::string tag = "<";
  tag += name;
  for (const Attribute& attribute : attributes) {
    tag.append(" ").append(attribute.name).append("=\"").append(Escaped(attribute.value)).append("\"");
  }
  return tag;
}

}  // namespace

Markup Markup::Trusted(std::string_view markup) {
  return Markup(std::string(markup));
}

Markup& Markup::operator+=(const Markup& more) {
  text_ += more.text_;
  return *this;
}

Markup Text(std::string_view text) {
  return Markup::Trusted(Escaped(text));
}

Markup Element(std::string_view name, Attributes attributes, const Markup& content) {
  std::string text = OpenTag(name, attributes);
  text.append(">").append(content.text()).append("</").append(name).append(">");
  return Markup::Trusted(text);
}

Markup VoidElement(std::string_view name, Attributes attributes) {
  return Markup::Trusted(OpenTag(name, attributes) + "/>");
}

}  // namespace addend
