// Python's string methods, on valid UTF-8, by code points.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja_value.h"

namespace addend::jinja {

bool IsPythonSpace(char32_t code);
size_t CountCodePoints(std::string_view text);

// Case by single code points, and "ß" to "SS"; other letters that Python turns into several stay one.
std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string TitleOfMethod(std::string_view text);  // str.title(): a word is a run of letters
std::string TitleOfFilter(std::string_view text);  // Jinja's |title: words begin behind space and - ( { [ <

// Without the code points of `chars` (white space if null) at the chosen ends.
std::string Strip(std::string_view text, const std::string* chars, bool left, bool right, Budget& budget);
// At most `limit` cuts if that is not negative; from the right if asked. No separator: at runs of white
// space.
std::vector<std::string> Split(std::string_view text, const std::string* separator, int64_t limit,
                               bool from_right, Budget& budget);
std::vector<std::string> SplitLines(std::string_view text, Budget& budget);
// The first `limit` occurrences, all if it is negative.
std::string Replace(const std::string& text, const std::string& from, const std::string& to, int64_t limit,
                    Budget& budget);

// & < > ' " as HTML writes them.
std::string EscapeHtml(std::string_view text, Budget& budget);

}  // namespace addend::jinja
