// A whole page in one file: it asks for nothing from outside, holds no script, and reads well in light and
// dark, on a phone, on paper, and aloud.
#pragma once
#include <string>
#include <vector>

#include "report/markup.h"

namespace addend {

// What a reader wants to know first.
struct KeyNumber {
  std::string value, name;
  std::string note;  // smaller; may be empty
};

struct Section {
  std::string title;
  Markup body;
};

struct Page {
  std::string title;
  std::string subtitle;
  std::vector<KeyNumber> numbers;
  std::vector<Section> sections;  // those without a body are left out
};

std::string Render(const Page& page);

Markup Paragraph(const std::string& text);
// Folded away until it is asked for.
Markup Details(const std::string& summary, const Markup& content);

}  // namespace addend
