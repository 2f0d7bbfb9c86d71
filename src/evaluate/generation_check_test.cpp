#include "evaluate/generation_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"
#include "support.h"

namespace addend {
namespace {

using Tokens = std::vector<TokenId>;

Tokens Counting(size_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

Tokens Join(Tokens tokens, const Tokens& tail, size_t times) {
  for (size_t i = 0; i < times; ++i) tokens.insert(tokens.end(), tail.begin(), tail.end());
  return tokens;
}

TEST(RepeatedShare, OfFourInARow) {
  EXPECT_EQ(RepeatedShare({}), 0);
  EXPECT_EQ(RepeatedShare(Counting(3)), 0);
  EXPECT_EQ(RepeatedShare(Counting(100)), 0);
  EXPECT_DOUBLE_EQ(RepeatedShare(Tokens(13, 7)), 0.9);                   // ten, and one of them different
  EXPECT_DOUBLE_EQ(RepeatedShare(Tokens{1, 2, 3, 4, 1, 2, 3, 4}), 0.2);  // 1234 2341 3412 4123 1234
}

TEST(EndsInLoop, ThreeTimesAndADozenTokens) {
  EXPECT_FALSE(EndsInLoop({}));
  EXPECT_FALSE(EndsInLoop(Counting(100)));
  EXPECT_FALSE(EndsInLoop(Tokens(11, 7)));
  EXPECT_TRUE(EndsInLoop(Tokens(12, 7)));
  EXPECT_TRUE(EndsInLoop(Join(Counting(50), {90, 91, 92, 93}, 3)));
  EXPECT_FALSE(EndsInLoop(Join(Counting(50), {90, 91, 92, 93}, 2)));
  EXPECT_FALSE(EndsInLoop(Join(Counting(50), {90, 91, 92}, 3)));  // nine tokens
  EXPECT_TRUE(EndsInLoop(Join(Counting(50), {90, 91, 92}, 4)));
  EXPECT_TRUE(EndsInLoop(Join({}, Counting(30), 3)));
  EXPECT_FALSE(EndsInLoop(Join({}, Counting(30), 2)));                 // enough tokens, but only twice
  EXPECT_FALSE(EndsInLoop(Join(Join({}, Counting(30), 3), {99}, 1)));  // it came out of it
  Tokens cut = Join(Counting(50), {90, 91, 92, 93}, 4);
  cut.pop_back();  // in the middle of the loop
  EXPECT_TRUE(EndsInLoop(cut));
}

class GenerationCheckTest : public testing::Test {
 protected:
  GenerationReport Check(std::span<const std::string_view> prompts, size_t tokens, Transformer& transformer) {
    const auto encode = [this](std::string_view prompt) { return tokenizer_.Encode(prompt); };
    return CheckGeneration(transformer, tokenizer_, prompts, {.max_tokens = tokens, .encode = encode}, {});
  }

  Model model_ = LoadModel(test::GoldenPath("tiny_models") / "llama");
  const Tokenizer tokenizer_ = LoadTests();
  ThreadPool pool_{2};
  Transformer transformer_{model_, pool_};

 private:
  static Tokenizer LoadTests() {
    const Path folder = Path(ADDEND_TESTS_DIR) / "cli";
    return Tokenizer::FromJson(ReadTextFile(folder / "tokenizer.json"),
                               ReadTextFile(folder / "tokenizer_config.json"), "tests/cli");
  }
};

TEST_F(GenerationCheckTest, WritesWhatASessionWrites) {
  const std::string_view prompts[] = {"the License", "You may"};
  const GenerationReport report = Check(prompts, 20, transformer_);
  ASSERT_EQ(report.texts.size(), 2u);
  double repeated = 0;
  for (const WrittenText& text : report.texts) {
    const Tokens ids = tokenizer_.Encode(text.prompt);
    Session session(transformer_, tokenizer_, 100);
    const Generation expected = session.Generate(ids, {.sampling = {.temperature = 0}, .max_tokens = 20});
    EXPECT_EQ(text.text, expected.text);
    EXPECT_EQ(text.ended, expected.finish == FinishReason::kEndToken);
    EXPECT_EQ(text.tokens, expected.tokens.size() - (text.ended ? 1 : 0));
    repeated += text.repeated / 2;
  }
  EXPECT_DOUBLE_EQ(report.repeated.mean(), repeated);
}

// A model whose most likely token is always the end: every answer is empty, and ends.
TEST_F(GenerationCheckTest, CountsEmptyAnswers) {
  Matrix head(model_.config.vocabulary, model_.config.hidden);
  model_.head = Linear{.weight = StoredMatrix::FromFloats(head, DType::kF32)};
  ASSERT_FALSE(tokenizer_.end_tokens().empty());
  // All logits are equal, and the first of equals is token 0: make the end win.
  const TokenId end = tokenizer_.end_tokens().front();
  Transformer zero(model_, pool_);
  const std::string_view prompts[] = {"the License"};
  const GenerationReport all_zero = Check(prompts, 30, zero);
  if (end != 0) {
    EXPECT_FALSE(all_zero.texts[0].ended);
    EXPECT_TRUE(all_zero.texts[0].loops);  // token 0 for ever
    EXPECT_NEAR(all_zero.texts[0].repeated, 1 - 1.0 / 27, 1e-9);
  }
  std::fill(model_.final_norm.begin(), model_.final_norm.end(), 0.0f);
  model_.final_norm[0] = 1;
  for (size_t i = 0; i < head.rows(); ++i) head(i, 0) = 0;
  KvCache cache(model_.config, 16);
  Matrix hidden;
  Transformer probe(model_, pool_);
  probe.ForwardHidden(tokenizer_.Encode("the License"), cache, hidden);
  head(end, 0) = hidden(hidden.rows() - 1, 0) > 0 ? 1.0f : -1.0f;
  model_.head = Linear{.weight = StoredMatrix::FromFloats(head, DType::kF32)};
  Transformer ends(model_, pool_);
  const GenerationReport report = Check(prompts, 30, ends);
  EXPECT_EQ(report.empty.mean(), 1);
  EXPECT_EQ(report.ended.mean(), 1);
  EXPECT_EQ(report.tokens.mean(), 0);
  EXPECT_EQ(report.loops.mean(), 0);
}

TEST_F(GenerationCheckTest, LeavesOnAnInterrupt) {
  CatchInterrupts();
  std::raise(SIGINT);
  EXPECT_THROW(Check(PlainPrompts(), 5, transformer_), Interrupted);
  ClearInterrupt();
}

}  // namespace
}  // namespace addend
