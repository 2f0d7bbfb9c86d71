// HTML and SVG that are known to be markup. A type of its own, so that text from elsewhere (names in a model
// file) gets into a page only through Text() or as an attribute's value, which both escape it.
//
// Everything written here is well-formed XML too: a page can be read by an XML parser as well as by a
// browser.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace addend {

class Markup {
 public:
  Markup() = default;
  // What the program itself holds as markup; never anything from a file.
  static Markup Trusted(std::string_view markup);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  Markup& operator+=(const Markup& more);
  friend Markup operator+(Markup first, const Markup& second) { return first += second; }

 private:
  explicit Markup(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Escaped. What is not UTF-8, and characters that XML cannot hold, become U+FFFD.
Markup Text(std::string_view text);

struct Attribute {
  std::string_view name;
  std::string value;  // escaped when it is written
};
using Attributes = std::initializer_list<Attribute>;

// <name a="value">content</name>
Markup Element(std::string_view name, Attributes attributes, const Markup& content = {});
// <name a="value"/>: for the elements of HTML that never have content, such as meta.
Markup VoidElement(std::string_view name, Attributes attributes);

}  // namespace addend
