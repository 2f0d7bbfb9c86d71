// Which choice does a model find most likely behind the question? Scored as lm-evaluation-harness does it:
// the log-probability of a choice is the sum over its tokens, given the question and the tokens before.
//
// Question and choice are joined by one space, or by the white space that the question ends in. The tokens of
// the choice are those of the joined text behind as many as the question alone has: the white space between
// belongs to the choice, and tokenizers that merge over the boundary are treated as there.
#pragma once
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "evaluate/questions.h"
#include "evaluate/statistics.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {

struct QuestionScore {
  std::vector<double> log_probabilities;  // of the choices, in nats
  // Of the choices, the first of equals; by byte: of UTF-8, log-probabilities divided by them.
  size_t most_likely = 0, most_likely_by_byte = 0;
};

struct MultipleChoiceScore {
  std::vector<QuestionScore> questions;  // in order
  // 1 for each question whose most likely choice is the answer: "acc" and "acc_norm" of the harness.
  RunningMean accuracy, accuracy_by_byte;
};

struct MultipleChoiceOptions {
  std::optional<TokenId> bos;  // in front of each question, when the tokenizer asks for one
};

// Each question runs through the model once for all of its choices. Throws Error, which begins with `origin`
// and the line: before any work when a question is longer than the model's context or a choice has no tokens
// of its own; and when a prediction is not a finite number. Interrupted on request.
MultipleChoiceScore ScoreQuestions(Transformer& model, const Tokenizer& tokenizer,
                                   std::span<const Question> questions, std::string_view origin,
                                   const MultipleChoiceOptions& options, const Progress& progress);

// Paired, question by question.
struct ChoiceAgreement {
  RunningMean agreement, agreement_by_byte;                      // 1 where both take the same choice
  RunningMean accuracy_difference, accuracy_by_byte_difference;  // other minus reference: -1, 0 or 1
};
ChoiceAgreement Compare(const MultipleChoiceScore& reference, const MultipleChoiceScore& other,
                        std::span<const Question> questions);

}  // namespace addend
