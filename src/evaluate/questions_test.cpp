#include "evaluate/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Question Only(const std::string& line) {
  const std::vector<Question> questions = ReadQuestions(line, "q.jsonl");
  EXPECT_EQ(questions.size(), 1u);
  return questions.front();
}

TEST(Questions, AsHellaSwagHasThem) {
  const Question question = Only(R"({"ind": 4, "ctx_a": "A man", "ctx": "A man sits on a roof. He", )"
                                 R"("endings": ["sleeps.", " is using wrap."], "label": "1", "split": "val"})"
                                 "\n");
  EXPECT_EQ(question.context, "A man sits on a roof. He");
  EXPECT_THAT(question.choices, ElementsAre("sleeps.", "is using wrap."));
  EXPECT_EQ(question.answer, 1u);
}

TEST(Questions, AsArcHasThem) {
  const std::string begin =
      R"({"id": "x", "question": "Which is a gas?", "choices": {"text": ["iron", "air"], )";
  const Question letters = Only(begin + R"("label": ["A", "B"]}, "answerKey": "B"})");
  EXPECT_EQ(letters.context, "Question: Which is a gas?\nAnswer:");
  EXPECT_THAT(letters.choices, ElementsAre("iron", "air"));
  EXPECT_EQ(letters.answer, 1u);
  // Some count from 1: it is the labels that decide.
  EXPECT_EQ(Only(begin + R"("label": ["1", "2"]}, "answerKey": "1"})").answer, 0u);
}

TEST(Questions, AsTheHarnessMakesThem) {
  const Question question = Only(R"({"query": "1 + 1 = ", "choices": ["1", "2", "3"], "gold": 1})");
  EXPECT_EQ(question.context, "1 + 1 = ");
  EXPECT_EQ(question.answer, 1u);
}

TEST(Questions, AnswersInEveryForm) {
  for (const std::string answer : {"2", "\"2\"", "\"C\""})
    EXPECT_EQ(Only(R"({"context": "x", "choices": ["a", "b", "c"], "answer": )" + answer + "}").answer, 2u);
}

TEST(Questions, LinesKeepTheirNumbers) {
  const std::string line = R"({"context": "x", "choices": ["a", "b"], "answer": 0})";
  const std::vector<Question> questions = ReadQuestions("\n" + line + "\r\n  \n" + line, "q.jsonl");
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].line, 2u);
  EXPECT_EQ(questions[1].line, 4u);
}

TEST(Questions, WhatIsWrongIsToldWithItsLine) {
  const std::string good = R"({"context": "x", "choices": ["a", "b"], "answer": 0})";
  const auto expect = [&](const std::string& line, const std::string& message) {
    SCOPED_TRACE(line.substr(0, 80));
    EXPECT_THAT([&] { ReadQuestions(good + "\n" + line + "\n", "q.jsonl"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("q.jsonl: line 2: "), HasSubstr(message))));
  };
  expect("{", "not valid JSON");
  expect("\xff\xfe", "not valid JSON");
  expect(std::string(100'000, '['), "nested");
  expect("[1]", "is not a JSON object");
  expect("{}", "the choices is missing: one of 'choices', 'endings'");
  expect(R"({"choices": ["a", "b"], "answer": 0})", "the question is missing");
  expect(R"({"context": "x", "choices": ["a", "b"]})", "the answer is missing: one of 'label', 'answer'");
  expect(R"({"context": "x", "query": "y", "choices": ["a", "b"], "answer": 0})",
         "'context' and 'query' both give the question");
  expect(R"({"context": 5, "choices": ["a", "b"], "answer": 0})", "'context' has the wrong type");
  expect(R"({"context": " \n", "choices": ["a", "b"], "answer": 0})", "'context' is empty");
  expect(R"({"context": "x", "choices": ["a"], "answer": 0})", "1 choices, 2 to 1000 are needed");
  expect(R"({"context": "x", "choices": "ab", "answer": 0})", "'choices' is not an array");
  expect(R"({"context": "x", "choices": ["a", 2], "answer": 0})", "element 1 is not a string");
  expect(R"({"context": "x", "choices": ["a", "  "], "answer": 0})", "choice 1 is empty");
  expect(R"({"context": "x", "choices": {"text": ["a", "b"]}, "answer": 0})", "without 'text' and 'label'");
  expect(R"({"context": "x", "choices": {"text": ["a", "b"], "label": ["A"]}, "answer": 0})",
         "2 texts, but 1 labels");
  for (const std::string answer : {"2", "-1", "0.0", "1e30", "true", "null", "[0]", "\"C\"", "\"a\"", "\"\"",
                                   "\"-1\"", "\"0 \"", "\"99999999999999999999\"", "18446744073709551615"}) {
    expect(R"({"context": "x", "choices": ["a", "b"], "answer": )" + answer + "}", "none of the 2 choices");
  }
  expect(R"({"context": "x", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answer": "0"})",
         "none of the 2 choices");
  EXPECT_THAT([] { ReadQuestions("\n \n", "q.jsonl"); },
              ThrowsMessage<Error>(HasSubstr("q.jsonl: holds no questions")));
}

}  // namespace
}  // namespace addend
