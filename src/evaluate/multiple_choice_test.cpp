#include "evaluate/multiple_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "model/log_probability.h"
#include "support.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class MultipleChoiceTest : public testing::Test {
 protected:
  // The definition: a choice's tokens are what the whole text has behind as many as the question has.
  double LogProbability(const std::string& context, const std::string& separator, const std::string& choice,
                        std::optional<TokenId> bos = {}) {
    std::vector<TokenId> whole = tokenizer_.Encode(context + separator + choice);
    size_t begin = tokenizer_.Encode(context).size();
    if (bos) {
      whole.insert(whole.begin(), *bos);
      ++begin;
    }
    KvCache cache(model_.config, whole.size(), DType::kF16);
    Matrix logits;
    transformer_.Forward(whole, cache, LogitRows::kAll, logits);
    double sum = 0;
    for (size_t i = begin; i < whole.size(); ++i) sum += LogProbabilities(logits.Row(i - 1))[whole[i]];
    return sum;
  }

  MultipleChoiceScore Score(const std::vector<Question>& questions,
                            const MultipleChoiceOptions& options = {}) {
    return ScoreQuestions(transformer_, tokenizer_, questions, "q.jsonl", options, {});
  }

  Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  const Tokenizer tokenizer_ = Tokenizer::FromJson(
      ReadTextFile(Path(ADDEND_TESTS_DIR) / "cli" / "tokenizer.json"), "", "tests/cli/tokenizer.json");
  ThreadPool pool_{2};
  Transformer transformer_{model_, pool_};
};

TEST_F(MultipleChoiceTest, FollowsItsDefinition) {
  const std::vector<Question> questions = {
      {"the License grants", {"you", "the right to reproduce", "x"}, 1, 1},
      {"Question: what?\nAnswer:", {"nothing at all", "this"}, 0, 2}};
  for (const std::optional<TokenId> bos : {std::optional<TokenId>(), std::optional<TokenId>(1)}) {
    const MultipleChoiceScore score = Score(questions, {.bos = bos});
    ASSERT_EQ(score.questions.size(), 2u);
    for (size_t q = 0; q < 2; ++q) {
      const std::vector<double>& found = score.questions[q].log_probabilities;
      std::vector<double> by_byte;
      for (size_t i = 0; i < found.size(); ++i) {
        // Sums of up to twenty logarithms; few and many tokens go through other kernels.
        EXPECT_NEAR(found[i], LogProbability(questions[q].context, " ", questions[q].choices[i], bos), 1e-2);
        by_byte.push_back(found[i] / static_cast<double>(questions[q].choices[i].size()));
      }
      EXPECT_EQ(score.questions[q].most_likely,
                static_cast<size_t>(std::ranges::max_element(found) - found.begin()));
      EXPECT_EQ(score.questions[q].most_likely_by_byte,
                static_cast<size_t>(std::ranges::max_element(by_byte) - by_byte.begin()));
    }
  }
}

TEST_F(MultipleChoiceTest, TheQuestionMayBringTheSeparator) {
  const MultipleChoiceScore score = Score({{"the License\n", {"you", "x"}, 0, 1}});
  EXPECT_NEAR(score.questions[0].log_probabilities[0], LogProbability("the License", "\n", "you"), 1e-2);
  EXPECT_GT(std::abs(LogProbability("the License", "\n", "you") - LogProbability("the License", " ", "you")),
            0.05);  // the test can tell
}

// A choice leaves nothing behind for the next.
TEST_F(MultipleChoiceTest, OrderDoesNotMatter) {
  const std::vector<std::string> choices = {"a long choice of many words", "b", "you may reproduce"};
  const auto score = [&](std::vector<size_t> order) {
    Question question{"the License grants", {}, 0, 1};
    for (const size_t i : order) question.choices.push_back(choices[i]);
    return Score({question}).questions[0].log_probabilities;
  };
  const std::vector<double> forward = score({0, 1, 2}), backward = score({2, 1, 0});
  EXPECT_THAT(backward, ElementsAre(forward[2], forward[1], forward[0]));
}

TEST_F(MultipleChoiceTest, AccuracyAndItsError) {
  std::vector<Question> questions(4, {"the License grants", {"you the right", "x", "and"}, 0, 1});
  const QuestionScore known = Score(questions).questions[0];
  for (size_t i = 0; i < 4; ++i)
    questions[i].answer = i == 0 ? (known.most_likely + 1) % 3 : known.most_likely;
  const MultipleChoiceScore score = Score(questions);
  EXPECT_DOUBLE_EQ(score.accuracy.mean(), 0.75);
  EXPECT_DOUBLE_EQ(score.accuracy.standard_error(), std::sqrt(0.75 * 0.25 / 3));  // as the harness has it
  EXPECT_EQ(score.accuracy_by_byte.count(), 4u);
}

TEST_F(MultipleChoiceTest, ComparesQuestionByQuestion) {
  const std::vector<Question> questions = {{"", {}, 0, 1}, {"", {}, 1, 2}, {"", {}, 1, 3}, {"", {}, 0, 4}};
  MultipleChoiceScore reference, other;
  reference.questions = {{{}, 0, 0}, {{}, 1, 0}, {{}, 0, 0}, {{}, 0, 0}};
  other.questions = {{{}, 0, 0}, {{}, 2, 1}, {{}, 1, 0}, {{}, 1, 1}};
  const ChoiceAgreement agreement = Compare(reference, other, questions);
  EXPECT_DOUBLE_EQ(agreement.agreement.mean(), 0.25);
  EXPECT_DOUBLE_EQ(agreement.agreement_by_byte.mean(), 0.5);
  EXPECT_DOUBLE_EQ(agreement.accuracy_difference.mean(), -0.25);      // 0, -1, 1, -1
  EXPECT_DOUBLE_EQ(agreement.accuracy_by_byte_difference.mean(), 0);  // 0, 1, 0, -1
  EXPECT_DOUBLE_EQ(agreement.accuracy_difference.standard_error(), std::sqrt(2.75 / 3 / 4));
}

TEST_F(MultipleChoiceTest, LongQuestionsAreToldBeforeAnyWork) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += "the License ";
  const std::vector<Question> questions = {{"x", {"a", "b"}, 0, 3}, {text, {"a", "b"}, 0, 7}};
  const auto no_work = [](const ProgressUpdate&) { FAIL(); };
  EXPECT_THAT([&] { ScoreQuestions(transformer_, tokenizer_, questions, "q.jsonl", {}, no_work); },
              ThrowsMessage<Error>(AllOf(HasSubstr("q.jsonl: line 7: with its longest choice"),
                                         HasSubstr("the model's context holds 512"))));
}

TEST_F(MultipleChoiceTest, BrokenModelsAreAnError) {
  model_.final_norm[0] = std::numeric_limits<float>::quiet_NaN();
  Transformer broken(model_, pool_);
  const std::vector<Question> questions = {{"x", {"a", "b"}, 0, 5}};
  EXPECT_THAT([&] { ScoreQuestions(broken, tokenizer_, questions, "q.jsonl", {}, {}); },
              ThrowsMessage<Error>(HasSubstr("q.jsonl: line 5: the prediction of choice 0 is not a finite")));
}

TEST_F(MultipleChoiceTest, LeavesOnAnInterrupt) {
  CatchInterrupts();
  std::raise(SIGINT);
  EXPECT_THROW(Score({{"x", {"a", "b"}, 0, 1}}), Interrupted);
  ClearInterrupt();
}

}  // namespace
}  // namespace addend
