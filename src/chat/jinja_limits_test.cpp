// Errors: where they are, what they say, and that no template escapes its limits.
#include <gmock/gmock.h>

#include "base/error.h"
#include "chat/chat_template.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string Render(const std::string& source, const Json& variables = nullptr) {
  return ChatTemplate(source).Render({}, {.variables = variables});
}

// The message of the error that `source` gives, or "none".
std::string ErrorOf(const std::string& source, const Json& variables = nullptr) {
  try {
    Render(source, variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

std::string Repeat(const std::string& text, size_t times) {
  std::string result;
  for (; times > 0; --times) result += text;
  return result;
}

TEST(JinjaErrors, NameTheLine) {
  EXPECT_EQ(ErrorOf("a\n{{ x.y }}"), "chat template: line 2: cannot take 'y' of 'x', which is undefined");
  EXPECT_EQ(ErrorOf("a\r\nb\n\n{{ 'ok' }}\n{%- if true %}\n {{ 1 + 'a' }}{% endif %}"),
            "chat template: line 6: '+' does not work on a value of type int and a value of type str");
  EXPECT_EQ(ErrorOf("{% for x in [1] %}\n\n{% endif %}"), "chat template: line 3: 'endif' has no beginning");
  EXPECT_EQ(ErrorOf("\n{{ 'a\nb' + 1 }}"),
            "chat template: line 3: '+' does not work on a value of type str and a value of type int");
  EXPECT_EQ(ErrorOf("{# a\nb #}\n{{ 1 // 0 }}"), "chat template: line 3: division by zero");
  EXPECT_EQ(ErrorOf("{% macro m() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ m() }}"),
            "chat template: line 2: division by zero");
  EXPECT_EQ(ErrorOf("{% macro m() %}x{% endmacro %}\n{{ m() }}\n{{ m(1) }}"),
            "chat template: line 1: macro 'm' takes at most 0 arguments, found 1");
  EXPECT_EQ(ErrorOf("\n{{ raise_exception('Roles must alternate') }}"),
            "chat template: line 2: the template refuses: Roles must alternate");
}

TEST(JinjaErrors, NameWhatIsNotSupported) {
  EXPECT_EQ(ErrorOf("\n{% include 'x' %}"), "chat template: line 2: the tag 'include' is not supported");
  EXPECT_EQ(ErrorOf("{{ 1|pprint }}"), "chat template: line 1: the filter 'pprint' is not supported");
  EXPECT_EQ(ErrorOf("{{ 1 is filter }}"), "chat template: line 1: the test 'is filter' is not supported");
  EXPECT_THAT(ErrorOf("{{ f(*[1]) }}"), HasSubstr("arguments with '*' are not supported"));
  EXPECT_THAT(ErrorOf("{% for x in [] recursive %}{% endfor %}"),
              HasSubstr("recursive loops are not supported"));
  EXPECT_THAT(ErrorOf("{{ '%s' % 1 }}"), HasSubstr("formatting a string with '%' is not supported"));
  EXPECT_THAT(ErrorOf("{% set d = {} %}{% set _ = d.update({}) %}"),
              HasSubstr("'update' of a value of type dict"));
  EXPECT_THAT(ErrorOf("{{ cycler('a') }}"), HasSubstr("'cycler', which is undefined is not a function"));
  EXPECT_THAT(ErrorOf("{{ 0x10 }}"), HasSubstr("base 2, 8 and 16 are not supported"));
  EXPECT_THAT(ErrorOf("{{ namespace(a=1) }}"), HasSubstr("has no text"));
}

TEST(JinjaErrors, AreNoneWhereRenderingDoesNotCome) {
  EXPECT_EQ(Render("{% if false %}{{ 1|pprint }}{{ a.b.c }}{% endif %}ok"), "ok");
}

TEST(JinjaErrors, OfBrokenTags) {
  for (const char* source : {"{{",
                             "{%",
                             "{#",
                             "{{ 'a",
                             "{% if",
                             "{% if x",
                             "{% if x %}",
                             "{% raw %}",
                             "{% set x %}",
                             "{{ (1 }}",
                             "{{ 1) }}",
                             "{{ [1 }}",
                             "{{ {1} }}",
                             "{{ {1: } }}",
                             "{{ x. }}",
                             "{{ x[ }}",
                             "{{ x[] }}",
                             "{{ x[1:2:3:4] }}",
                             "{{ 1 | }}",
                             "{{ 1 is }}",
                             "{{ not }}",
                             "{{ a b }}",
                             "{{ 'a' if }}",
                             "{% for %}{% endfor %}",
                             "{% for x %}{% endfor %}",
                             "{% for x in %}{% endfor %}",
                             "{% for 1 in x %}{% endfor %}",
                             "{% set %}",
                             "{% set 1 = 2 %}",
                             "{% set true = 2 %}",
                             "{% macro %}{% endmacro %}",
                             "{% macro m(a=1, b) %}{% endmacro %}",
                             "{% %}",
                             "{% 1 %}",
                             "{% break %}",
                             "{{ $ }}",
                             "{{ \xff }}",
                             "{{ '\\ud800' }}",
                             "{{ '\\xg' }}",
                             "{{ f(a=1, 2) }}",
                             "{% else %}",
                             "{% endfor %}",
                             "{{ 99999999999999999999 }}",
                             "{{ 1e999 }}",
                             "{{-}}",
                             "{%-%}",
                             "{{ 1 ! 2 }}",
                             "{{ ü }}"}) {
    EXPECT_THAT(ErrorOf(source), StartsWith("chat template: line 1: ")) << source;
  }
}

TEST(JinjaLimits, DeepNesting) {
  const std::pair<const char*, const char*> pairs[] = {
      {"(", ")"},    {"[", "]"},       {"-", ""},          {"not ", ""},  {"{'a': ", "}"},
      {"x[", "]"},   {"x(", ")"},      {"1 + (", ")"},     {"1 if ", ""}, {"1 if 1 else ", ""},
      {"1|f(", ")"}, {"x is f(", ")"}, {"x is f x[", "]"}, {"x[1:", "]"}, {"f(a=", ")"},
  };
  for (const auto& [open, close] : pairs) {
    EXPECT_THAT(ErrorOf("{{ " + Repeat(open, 20000) + "1" + Repeat(close, 20000) + " }}"),
                HasSubstr("levels of nesting"))
        << open;
  }
  for (const char* chain :
       {" + x", " ~ (x + x)", "|upper", ".a", "[0]", "()", " and x", " or x", " * x", " ** x"}) {
    const std::string error = ErrorOf("{{ x" + Repeat(chain, 50000) + " }}");
    EXPECT_THAT(error, StartsWith("chat template: ")) << chain;
  }
  for (const char* block : {"{% if x %}", "{% for x in y %}", "{% set x %}", "{% macro m() %}", "{% with %}",
                            "{% filter upper %}", "{% generation %}"}) {
    EXPECT_THAT(ErrorOf(Repeat(block, 50000)), HasSubstr("levels of nesting")) << block;
  }
  EXPECT_THAT(ErrorOf("{% for " + Repeat("(", 20000) + "x" + Repeat(")", 20000) + " in x %}{% endfor %}"),
              HasSubstr("levels of nesting"));
  EXPECT_EQ(ErrorOf("{% if x %}" + Repeat("{% elif x %}", 50000) + "{% endif %}"), "none");
  EXPECT_EQ(Render("{{ " + Repeat("(", 60) + "1" + Repeat(")", 60) + " }}"), "1");
  EXPECT_EQ(Render("{{ 'a'" + Repeat(" + 'a'", 300) + " }}"), Repeat("a", 301));
}

TEST(JinjaLimits, DeepValues) {
  EXPECT_THAT(
      ErrorOf("{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}"),
      HasSubstr("nested more than 100 levels deep"));
  EXPECT_THAT(
      ErrorOf(
          "{% set n = namespace(x='a') %}{% for i in range(99999) %}{% set n.x = {'a': n.x} %}{% endfor %}"),
      HasSubstr("nested more than 100 levels deep"));
  EXPECT_THAT(
      ErrorOf(
          "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x.index] %}{% endfor %}"),
      HasSubstr("levels deep"));
  Json deep = nullptr;
  for (int i = 0; i < 1000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_THAT(ErrorOf("{{ x }}", {{"x", std::move(deep)}}), HasSubstr("nested more than 100 levels deep"));
}

TEST(JinjaLimits, Recursion) {
  EXPECT_THAT(ErrorOf("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr("levels deep"));
  EXPECT_THAT(
      ErrorOf("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"),
      HasSubstr("levels deep"));
  EXPECT_THAT(ErrorOf("{% macro m(f, x=f(f)) %}{% endmacro %}{{ m(m) }}"), HasSubstr("levels deep"));
  EXPECT_THAT(
      ErrorOf("{% macro m() %}{% for i in [1, 2] %}{% if i %}{% set x %}{{ [m()] }}{% endset %}{% endif %}"
              "{% endfor %}{% endmacro %}{{ m() }}"),
      HasSubstr("levels deep"));
  EXPECT_THAT(ErrorOf("{{ ['a']|map('map'" + Repeat(", 'map'", 50000) + ") }}"),
              HasSubstr("more than 64 arguments"));
  EXPECT_THAT(ErrorOf("{{ ['a']|map('map'" + Repeat(", 'map'", 60) + ")|list }}"),
              StartsWith("chat template: line 1"));
}

TEST(JinjaLimits, TimeAndMemory) {
  const std::string exhausted = "takes too many steps or too much memory";
  EXPECT_THAT(ErrorOf("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{% for a in range(99999) %}{% for b in range(99999) %}text{% endfor %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{{ range(1000000000) }}"), HasSubstr("'range' of more than 100000 numbers"));
  EXPECT_THAT(ErrorOf("{{ range(0, 9223372036854775807, 9223372036854775807)|list }}"), "none");
  EXPECT_THAT(ErrorOf("{{ 'a' * 9223372036854775807 }}"), HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{{ [1] * 9223372036854775807 }}"), HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{{ '' * 9223372036854775807 }}{{ [] * 9223372036854775807 }}"), "none");
  const std::string thousand = "{% for i in range(1000) %}";
  EXPECT_THAT(ErrorOf("{% set n = namespace(x='a') %}" + thousand + "{% set n.x = n.x + n.x %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{% set n = namespace(x=[1]) %}" + thousand + "{% set n.x = n.x + n.x %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{% set n = namespace(x='ab') %}" + thousand +
                      "{% set n.x = n.x|replace('a', n.x) %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{% set n = namespace(x='a') %}" + thousand +
                      "{% set n.x = [n.x, n.x]|join(n.x) %}{% endfor %}"),
              HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{{ 'a'|indent(9223372036854775807) }}"), HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf("{% set m = 'a' * 1000 %}{% set n = namespace(x=m) %}" + thousand +
                      "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}"),
              HasSubstr(exhausted));
  // A list of 90 levels, each twice in the next: 2^90 items to print, compare or write as JSON.
  const std::string tree =
      "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set n.x = [n.x, n.x] %}"
      "{% set n.y = [n.y, n.y] %}{% endfor %}";
  for (const char* use :
       {"{{ n.x }}", "{{ n.x|tojson }}", "{{ n.x == n.y }}", "{{ n.x in [n.y] }}", "{{ n.x < n.y }}",
        "{{ [n.x, n.y]|unique|list|length }}", "{{ [n.x, n.y]|sort|length }}"}) {
    EXPECT_THAT(ErrorOf(tree + use), HasSubstr(exhausted)) << use;
  }
  EXPECT_THAT(
      ErrorOf("{% set l = range(99999)|list %}{% for i in l %}{% if i in l %}{% endif %}{% endfor %}"),
      HasSubstr(exhausted));
  EXPECT_THAT(ErrorOf(std::string(2 << 20, 'x')), HasSubstr("at most 1048576 are supported"));
}

TEST(JinjaLimits, Numbers) {
  EXPECT_THAT(ErrorOf("{{ 9223372036854775807 + 1 }}"), HasSubstr("larger than 64 bits"));
  EXPECT_THAT(ErrorOf("{{ (-9223372036854775807 - 1) // -1 }}"), HasSubstr("larger than 64 bits"));
  EXPECT_THAT(ErrorOf("{{ -(-9223372036854775807 - 1) }}"), HasSubstr("larger than 64 bits"));
  EXPECT_THAT(ErrorOf("{{ (-9223372036854775807 - 1)|abs }}"), HasSubstr("larger than 64 bits"));
  EXPECT_THAT(ErrorOf("{{ 10 ** 20 }}"), HasSubstr("larger than 64 bits"));
  EXPECT_EQ(Render("{{ (-9223372036854775807 - 1) % -1 }}{{ 1 ** 9223372036854775807 }}{{ 0 ** 9 }}"), "010");
  EXPECT_EQ(Render("{{ 'abc'[::9223372036854775807] }}{{ 'abc'[9223372036854775807:] }}"), "a");
  EXPECT_EQ(Render("{{ 'abc'[-9223372036854775807:2] }}{{ 'abc'[::-9223372036854775807] }}"), "abc");
  EXPECT_EQ(Render("{{ [1][-9223372036854775807 - 1] }}{{ 1e300|int }}{{ 'nan'|int }}"), "00");
  EXPECT_EQ(Render("{{ (-9223372036854775807 - 1) is divisibleby(-1) }}"), "True");
}

TEST(JinjaLimits, TextThatIsNotUtf8) {
  EXPECT_EQ(Render("a\xff{{ x|upper }}{{ x|length }}{{ x[0] }}", {{"x", "\xe4\xb8"}}),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "1\xef\xbf\xbd");
}

// Found by the fuzzer: one function took this for white space and another did not, and the lexer never ended.
TEST(JinjaLimits, ControlCharactersInTags) {
  EXPECT_EQ(Render("{{\x1f'a'\x1c}}{%\x1d if\x1etrue %}b{% endif %}"), "ab");
}

TEST(JinjaLimits, ATemplateOfAllBytes) {
  std::string all;
  for (int i = 1; i < 256; ++i) all += char(i);
  EXPECT_NO_THROW(Render(all));
  EXPECT_THAT(ErrorOf("{{ " + all), StartsWith("chat template: line 1: "));
  EXPECT_NO_THROW(Render(std::string("a\0b", 3)));
}

TEST(JinjaLists, ChangeWhereTheyAreKept) {
  EXPECT_EQ(Render("{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}{{ _ }}"), "[1, 2]None");
  EXPECT_EQ(Render("{% set l = [] %}{% for i in [1, 2] %}{% set _ = l.append(i) %}{% endfor %}{{ l }}"),
            "[1, 2]");
  EXPECT_EQ(Render("{% set n = namespace(l=[1, 2, 3]) %}{{ n.l.pop(0) }}{{ n.l.pop() }}{{ n.l }}"), "13[2]");
  EXPECT_EQ(Render("{% set l = [1] %}{% set _ = l.extend([2, 3]) %}{{ l }}"), "[1, 2, 3]");
  EXPECT_THAT(ErrorOf("{{ [1].append(2) }}"), HasSubstr("only of a list in a variable"));
  EXPECT_THAT(ErrorOf("{% set l = [] %}{{ l.pop() }}"), HasSubstr("does not have"));
}

TEST(JinjaTime, IsTheOneGiven) {
  setenv("TZ", "UTC", 1);
  tzset();
  const ChatTemplate chat_template("{{ strftime_now('%d %b %Y, %H:%M') }}");
  EXPECT_EQ(chat_template.Render({}, {.now = 1700000000}), "14 Nov 2023, 22:13");
  EXPECT_THAT(ErrorOf("{{ strftime_now('%99999999d') }}"), HasSubstr("does not support the format"));
  EXPECT_THAT(ErrorOf("{{ strftime_now('%') }}"), HasSubstr("does not support the format"));
}

}  // namespace
}  // namespace addend
