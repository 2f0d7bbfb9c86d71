// `addend eval --tasks FILE`: multiple-choice questions.
#include "cli/eval_parts.h"
#include "cli/output.h"
#include "evaluate/multiple_choice.h"

namespace addend {
namespace {

MultipleChoiceScore Score(const EvalArguments& arguments, const EvalInputs& inputs, EvalModel& model) {
  return ScoreQuestions(model.transformer, model.tokenizer, inputs.questions, arguments.tasks.string(),
                        {.bos = model.LeadingBos()}, arguments.common.ConsoleProgress());
}

// "acc" and "acc_norm" are the names that lm-evaluation-harness has for them.
struct Row {
  const char* name;
  const char* key;
  const RunningMean& mean;
};

std::vector<Row> RowsOf(const MultipleChoiceScore& score) {
  return {{"acc", "acc", score.accuracy}, {"acc_norm", "acc_norm", score.accuracy_by_byte}};
}

std::vector<Row> RowsOf(const ChoiceAgreement& agreement) {
  return {{"difference of acc", "acc_difference", agreement.accuracy_difference},
          {"of acc_norm", "acc_norm_difference", agreement.accuracy_by_byte_difference},
          {"same choice (acc)", "same_choice", agreement.agreement},
          {"(acc_norm)", "same_choice_norm", agreement.agreement_by_byte}};
}

template <typename Result>
Json ToJson(const Result& result) {
  Json json = Json::object();
  for (const Row& row : RowsOf(result))
    json[row.key] = {{"mean", row.mean.mean()}, {"standard_error", row.mean.standard_error()}};
  return json;
}

template <typename Result>
std::string ToText(const char* title, const Result& result) {
  std::string text;
  for (const Row& row : RowsOf(result)) {
    text +=
        Format("  %-10s %-19s %8.4f  +- %.4f\n", title, row.name, row.mean.mean(), row.mean.standard_error());
    title = "";
  }
  return text;
}

// What each question came to, in the order of the file.
Json QuestionsOf(const EvalInputs& inputs, const MultipleChoiceScore& score) {
  Json list = Json::array();
  for (size_t i = 0; i < inputs.questions.size(); ++i) {
    const QuestionScore& question = score.questions[i];
    list.push_back({{"line", inputs.questions[i].line},
                    {"answer", inputs.questions[i].answer},
                    {"chosen", question.most_likely},
                    {"chosen_norm", question.most_likely_by_byte},
                    {"log_probabilities", question.log_probabilities}});
  }
  return list;
}

std::string QuestionsText(const EvalInputs& inputs, const MultipleChoiceScore& score) {
  std::string text;
  for (size_t i = 0; i < inputs.questions.size(); ++i) {
    const Question& question = inputs.questions[i];
    const size_t chosen = score.questions[i].most_likely;
    const bool right = chosen == question.answer;
    text += Format("  line %zu: %s: %s", question.line, right ? "right" : "wrong",
                   OneLine(question.choices[chosen]).c_str());
    text += right ? "\n" : " (" + OneLine(question.choices[question.answer]) + ")\n";
  }
  return text;
}

}  // namespace

EvalPart EvaluateTasks(const EvalArguments& arguments, const EvalInputs& inputs) {
  const MultipleChoiceScore score = Score(arguments, inputs, *inputs.model);
  EvalPart part;
  Json& json = part.json["tasks"];
  json = {
      {"file", arguments.tasks.string()}, {"questions", inputs.questions.size()}, {"model", ToJson(score)}};
  part.text =
      Format("%s: %zu questions\n\n", OneLine(arguments.tasks.string()).c_str(), inputs.questions.size());
  part.text += Format("  %-10s %-19s %8s  %s\n", "", "", "", "standard error") + ToText("model", score);
  if (inputs.reference != nullptr) {
    const MultipleChoiceScore reference = Score(arguments, inputs, *inputs.reference);
    const ChoiceAgreement agreement = Compare(reference, score, inputs.questions);
    json["reference"] = ToJson(reference);
    json["paired"] = ToJson(agreement);
    part.text += ToText("reference", reference) + ToText("paired", agreement);
  }
  if (!arguments.verbose) return part;
  json["scores"] = QuestionsOf(inputs, score);
  part.text += "\n" + QuestionsText(inputs, score);
  return part;
}

}  // namespace addend
