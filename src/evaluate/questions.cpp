#include "evaluate/questions.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

constexpr size_t kMostChoices = 1000;

// One line, and how errors about it begin.
struct Line {
  Json json;
  std::string origin;

  template <typename... Parts>
  [[noreturn]] void Refuse(const Parts&... parts) const {
    throw Error(origin, ": ", parts...);
  }
};

// The one of `names` that the line has.
std::string OnlyOne(const Line& line, const char* what, std::initializer_list<const char*> names) {
  std::string found, list;
  for (const char* name : names) {
    list.append(list.empty() ? "'" : ", '").append(name).append("'");
    if (!line.json.contains(name)) continue;
    if (!found.empty()) line.Refuse("'", found, "' and '", name, "' both give ", what, "; one is needed");
    found = name;
  }
  if (found.empty()) line.Refuse(what, " is missing: one of ", list);
  return found;
}

std::string ContextOf(const Line& line) {
  const std::string key = OnlyOne(line, "the question", {"context", "ctx", "query", "question"});
  std::string text = JsonField<std::string>(line.json, key.c_str(), line.origin);
  if (TrimWhiteSpace(text, true, true).empty()) line.Refuse("'", key, "' is empty");
  return key == "question" ? "Question: " + text + "\nAnswer:" : text;
}

std::vector<std::string> Strings(const Line& line, const Json& array, const std::string& name) {
  if (!array.is_array()) line.Refuse(name, " is not an array");
  std::vector<std::string> strings;
  for (const Json& element : array) {
    if (!element.is_string()) line.Refuse(name, ": element ", strings.size(), " is not a string");
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

struct Choices {
  std::vector<std::string> texts, labels;  // labels: one for each text, or none
};

Choices ChoicesOf(const Line& line) {
  const std::string key = OnlyOne(line, "the choices", {"choices", "endings"}), name = "'" + key + "'";
  const Json& value = line.json[key];
  Choices choices;
  if (!value.is_object()) {
    choices.texts = Strings(line, value, name);
  } else if (!value.contains("text") || !value.contains("label")) {
    line.Refuse(name, " is an object without 'text' and 'label'");
  } else {
    choices.texts = Strings(line, value["text"], name + ": 'text'");
    choices.labels = Strings(line, value["label"], name + ": 'label'");
    if (choices.texts.size() != choices.labels.size())
      line.Refuse(name, ": ", choices.texts.size(), " texts, but ", choices.labels.size(), " labels");
  }
  const size_t count = choices.texts.size();
  if (count < 2 || count > kMostChoices)
    line.Refuse(name, ": ", count, " choices, 2 to ", kMostChoices, " are needed");
  for (std::string& text : choices.texts) {
    text = TrimWhiteSpace(text, true, true);
    if (text.empty()) line.Refuse(name, ": choice ", &text - choices.texts.data(), " is empty");
  }
  return choices;
}

// "2" or "C" -> 2; the number of choices when it is neither, or too large.
size_t IndexFrom(const std::string& text, size_t count) {
  if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') return std::min(count, size_t(text[0] - 'A'));
  if (text.empty() || text.size() > 3 || text.find_first_not_of("0123456789") != std::string::npos)
    return count;
  return std::min<size_t>(count, std::stoul(text));
}

size_t AnswerOf(const Line& line, const Choices& choices) {
  const std::string key = OnlyOne(line, "the answer", {"label", "answer", "gold", "answerKey"});
  const Json& value = line.json[key];
  const size_t count = choices.texts.size();
  size_t index = count;
  if (value.is_number_unsigned()) {
    index = std::min<size_t>(count, value.get<uint64_t>());
  } else if (value.is_string() && !choices.labels.empty()) {
    index = std::ranges::find(choices.labels, value.get<std::string>()) - choices.labels.begin();
  } else if (value.is_string()) {
    index = IndexFrom(value.get<std::string>(), count);
  }
  if (index == count) {
    const std::string found = value.is_structured() ? value.type_name() : value.dump().substr(0, 80);
    line.Refuse("'", key, "' is ", found, ", which is none of the ", count, " choices");
  }
  return index;
}

Question QuestionFrom(const Line& line, size_t number) {
  if (!line.json.is_object()) line.Refuse("is not a JSON object");
  Choices choices = ChoicesOf(line);
  const size_t answer = AnswerOf(line, choices);
  return {ContextOf(line), std::move(choices.texts), answer, number};
}

}  // namespace

std::vector<Question> ReadQuestions(std::string_view text, std::string_view origin) {
  std::vector<Question> questions;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (TrimWhiteSpace(ReplaceInvalidUtf8(line), true, true).empty()) continue;
    const std::string where = std::string(origin) + ": line " + std::to_string(number);
    questions.push_back(QuestionFrom({ParseJson(line, where), where}, number));
  }
  if (questions.empty()) throw Error(origin, ": holds no questions");
  return questions;
}

}  // namespace addend
