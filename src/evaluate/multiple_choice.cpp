#include "evaluate/multiple_choice.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "model/log_probability.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

struct EncodedQuestion {
  std::vector<TokenId> context;
  std::vector<std::vector<TokenId>> choices;

  size_t Length() const {
    const auto longest =
        std::ranges::max_element(choices, {}, [](const auto& choice) { return choice.size(); });
    return context.size() + longest->size();
  }
};

std::string Where(std::string_view origin, const Question& question) {
  return std::string(origin) + ": line " + std::to_string(question.line);
}

EncodedQuestion Encode(const Question& question, const Tokenizer& tokenizer, std::optional<TokenId> bos) {
  const std::string_view context = TrimWhiteSpace(question.context, false, true);
  const bool brings_separator = context.size() < question.context.size();
  const std::string prefix = brings_separator ? question.context : question.context + " ";
  EncodedQuestion encoded{.context = tokenizer.Encode(context)};
  const auto own = static_cast<ptrdiff_t>(encoded.context.size());
  for (size_t i = 0; i < question.choices.size(); ++i) {
    const std::vector<TokenId> whole = tokenizer.Encode(prefix + question.choices[i]);
    if (std::ssize(whole) <= own) throw Error("choice ", i, " has no tokens of its own behind the question");
    encoded.choices.emplace_back(whole.begin() + own, whole.end());
  }
  if (bos) encoded.context.insert(encoded.context.begin(), *bos);
  return encoded;
}

std::vector<EncodedQuestion> EncodeAll(std::span<const Question> questions, const Tokenizer& tokenizer,
                                       size_t context, std::string_view origin, std::optional<TokenId> bos) {
  std::vector<EncodedQuestion> encoded;
  for (const Question& question : questions) {
    ThrowIfInterrupted();
    WithContext(Where(origin, question), [&] {
      encoded.push_back(Encode(question, tokenizer, bos));
      if (const size_t length = encoded.back().Length(); length > context)
        throw Error("with its longest choice ", length, " tokens, the model's context holds ", context);
    });
  }
  return encoded;
}

// Leaves the question in the cache, and takes each choice away again.
std::vector<double> LogProbabilitiesOf(const EncodedQuestion& question, Transformer& model, KvCache& cache) {
  Matrix after_context, logits;
  cache.Truncate(0);
  model.Forward(question.context, cache, LogitRows::kLast, after_context);
  const LogProbabilities first(after_context.Row(0));
  std::vector<double> sums;
  for (const std::span<const TokenId> choice : question.choices) {
    double sum = first[choice[0]];
    if (choice.size() > 1) model.Forward(choice.first(choice.size() - 1), cache, LogitRows::kAll, logits);
    for (size_t i = 1; i < choice.size(); ++i) sum += LogProbabilities(logits.Row(i - 1))[choice[i]];
    cache.Truncate(question.context.size());
    if (!std::isfinite(sum)) throw Error("the prediction of choice ", sums.size(), " is not a finite number");
    sums.push_back(sum);
  }
  return sums;
}

size_t Largest(std::span<const double> values) {
  return static_cast<size_t>(std::ranges::max_element(values) - values.begin());
}

QuestionScore ScoreFrom(std::vector<double> log_probabilities, const Question& question) {
  QuestionScore score{.log_probabilities = std::move(log_probabilities)};
  score.most_likely = Largest(score.log_probabilities);
  std::vector<double> by_byte = score.log_probabilities;
  for (size_t i = 0; i < by_byte.size(); ++i) by_byte[i] /= static_cast<double>(question.choices[i].size());
  score.most_likely_by_byte = Largest(by_byte);
  return score;
}

}  // namespace

MultipleChoiceScore ScoreQuestions(Transformer& model, const Tokenizer& tokenizer,
                                   std::span<const Question> questions, std::string_view origin,
                                   const MultipleChoiceOptions& options, const Progress& progress) {
  const std::vector<EncodedQuestion> encoded =
      EncodeAll(questions, tokenizer, model.config().context, origin, options.bos);
  size_t longest = 0;
  for (const EncodedQuestion& question : encoded) longest = std::max(longest, question.Length());
  KvCache cache(model.config(), longest);
  MultipleChoiceScore result;
  for (size_t i = 0; i < questions.size(); ++i) {
    ThrowIfInterrupted();
    WithContext(Where(origin, questions[i]), [&] {
      const QuestionScore& score = result.questions.emplace_back(
          ScoreFrom(LogProbabilitiesOf(encoded[i], model, cache), questions[i]));
      result.accuracy.Add(score.most_likely == questions[i].answer ? 1 : 0);
      result.accuracy_by_byte.Add(score.most_likely_by_byte == questions[i].answer ? 1 : 0);
    });
    Report(progress, {"questions", static_cast<double>(i + 1), static_cast<double>(questions.size()),
                      "accuracy " + std::to_string(result.accuracy.mean()).substr(0, 5)});
  }
  return result;
}

ChoiceAgreement Compare(const MultipleChoiceScore& reference, const MultipleChoiceScore& other,
                        std::span<const Question> questions) {
  const auto as_number = [](bool holds) { return holds ? 1.0 : 0.0; };
  ChoiceAgreement result;
  for (size_t i = 0; i < questions.size(); ++i) {
    const QuestionScore &a = reference.questions[i], &b = other.questions[i];
    const size_t answer = questions[i].answer;
    result.agreement.Add(as_number(a.most_likely == b.most_likely));
    result.agreement_by_byte.Add(as_number(a.most_likely_by_byte == b.most_likely_by_byte));
    result.accuracy_difference.Add(as_number(b.most_likely == answer) - as_number(a.most_likely == answer));
    result.accuracy_by_byte_difference.Add(as_number(b.most_likely_by_byte == answer) -
                                           as_number(a.most_likely_by_byte == answer));
  }
  return result;
}

}  // namespace addend
