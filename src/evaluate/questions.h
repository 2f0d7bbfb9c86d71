// Multiple-choice questions from a file of JSON lines (docs/evaluation.md says the same with examples).
//
// Each line that is not blank is an object with these fields; what else it holds does not count:
//   the question  one of "context", "ctx", "query" (a string, taken as it is) and "question" (a string, which
//                 becomes "Question: ...\nAnswer:", as the ARC tasks are asked)
//   the choices   one of "choices" and "endings": at least two strings; or, as in ARC, an object of two
//   arrays
//                 of equal length, "text" and "label"
//   the answer    one of "label", "answer", "gold" and "answerKey": a choice's number, from 0; or a string:
//   the
//                 same number ("2"), or a letter from "A" on. Where the choices have labels, a string is one
//                 of them.
// So the lines of HellaSwag and of ARC are read as their Hugging Face data sets have them, and what
// lm-evaluation-harness makes of them ("query", "choices", "gold") too.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace addend {

struct Question {
  std::string context;               // not blank; may end in white space
  std::vector<std::string> choices;  // without white space at the ends, not empty
  size_t answer = 0;                 // of the choices
  size_t line = 0;                   // of the file, from 1
};

// Throws Error ("ORIGIN: line 7: ...") for the first line that is not as above, and when there is no
// question.
std::vector<Question> ReadQuestions(std::string_view text, std::string_view origin);

}  // namespace addend
