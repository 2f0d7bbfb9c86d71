#include "report/page.h"

#include "base/version.h"

namespace addend {

extern const std::string_view kPageStyle;  // page.css

namespace {

Markup Head(const std::string& title) {
  return Element(
      "head", {},
      VoidElement("meta", {{"charset", "utf-8"}}) +
          VoidElement("meta", {{"http-equiv", "Content-Security-Policy"},
                               {"content", "default-src 'none'; style-src 'unsafe-inline'"}}) +
          VoidElement("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}) +
          VoidElement("meta", {{"name", "color-scheme"}, {"content", "light dark"}}) +
          Element("title", {}, Text(title)) + Element("style", {}, Markup::Trusted(kPageStyle)));
}

Markup Draw(const std::vector<KeyNumber>& numbers) {
  Markup items;
  for (const KeyNumber& number : numbers) {
    items += Element(
        "div", {},
        Element("dt", {}, Text(number.name)) +
            Element("dd", {}, Element("b", {}, Text(number.value)) + Element("span", {}, Text(number.note))));
  }
  return items.empty() ? items : Element("dl", {{"class", "numbers"}}, items);
}

Markup Draw(const Section& section) {
  if (section.body.empty()) return {};
  return Element("section", {}, Element("h2", {}, Text(section.title)) + section.body);
}

}  // namespace

std::string Render(const Page& page) {
  Markup body = Element("header", {}, Element("h1", {}, Text(page.title)) + Paragraph(page.subtitle)) +
                Draw(page.numbers);
  for (const Section& section : page.sections) body += Draw(section);
  const Markup footer = Element("footer", {}, Text(std::string("Made by addend ") + kVersion + "."));
  const Markup html = Element("html", {{"lang", "en"}},
                              Head(page.title) + Element("body", {}, Element("main", {}, body) + footer));
  return "<!DOCTYPE html>\n" + html.text() + "\n";
}

Markup Paragraph(const std::string& text) {
  return Element("p", {}, Text(text));
}

Markup Details(const std::string& summary, const Markup& content) {
  return Element("details", {}, Element("summary", {}, Text(summary)) + content);
}

}  // namespace addend
