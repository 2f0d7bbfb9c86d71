#include "report/markup.h"

#include <gtest/gtest.h>

namespace addend {
namespace {

TEST(Markup, TextIsEscaped) {
  EXPECT_EQ(Text("<script>alert('x' & \"y\")</script>").text(),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
}

TEST(Markup, WhatXmlCannotHoldIsReplaced) {
  EXPECT_EQ(Text(std::string_view("a\0b\x1b[31m", 8)).text(), "a\uFFFDb\uFFFD[31m");
  EXPECT_EQ(Text("\xff\xc3(").text(), "\uFFFD\uFFFD(") << "not UTF-8";
  EXPECT_EQ(Text("\u0085\uFFFE").text(), "\uFFFD\uFFFD");
  EXPECT_EQ(Text("tab\tline\ngrüße 😀").text(), "tab\tline\ngrüße 😀");
}

TEST(Markup, ElementsNestAndEscapeTheirAttributes) {
  EXPECT_EQ(Element("a", {{"b", "\"><i>"}, {"c", ""}}, Text("1 < 2") + Element("d", {})).text(),
            "<a b=\"&quot;&gt;&lt;i&gt;\" c=\"\">1 &lt; 2<d></d></a>");
  EXPECT_EQ(VoidElement("meta", {{"name", "x"}}).text(), "<meta name=\"x\"/>");
}

}  // namespace
}  // namespace addend
