#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "base/file.h"
#include "base/version.h"
#include "evaluate/perplexity.h"
#include "generate/session.h"
#include "library/addend.h"
#include "support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::ThrowsMessage;

// The tiny model with a tokenizer, as the tests of the program have it. It has no chat template.
class LibraryTest : public testing::Test {
 protected:
  LibraryTest() {
    std::filesystem::copy(test::GoldenPath("tiny_models") / "llama", path_,
                          std::filesystem::copy_options::recursive);
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
      std::filesystem::copy(Path(ADDEND_TESTS_DIR) / "cli" / name, path_);
  }

  const test::TemporaryFolder folder_;
  const Path& path_ = folder_.path();
  const WriteOptions greedy_{.max_tokens = 12, .temperature = 0};
};

TEST_F(LibraryTest, ContinuesAsASessionDoes) {
  const Model model = LoadModel(path_);
  const Tokenizer tokenizer = LoadTokenizer(path_);
  ThreadPool pool(1);
  Transformer transformer(model, pool);
  Session session(transformer, tokenizer, 64);
  GenerateOptions options{.max_tokens = 12};
  options.sampling.temperature = 0;
  const Generation expected = session.Generate(tokenizer.Encode("Hello", {.add_special = true}), options);

  LanguageModel library(path_, {.threads = 1, .context = 64});
  std::string streamed;
  const Written written = library.Continue("Hello", greedy_, [&](std::string_view piece) {
    streamed += piece;
    return true;
  });
  EXPECT_EQ(written.text, expected.text);
  EXPECT_EQ(written.tokens, expected.tokens);
  EXPECT_EQ(written.prompt_tokens, expected.statistics.prompt_tokens);
  EXPECT_EQ(written.ending, Ending::kMaxTokens);
  EXPECT_EQ(streamed, written.text);
}

TEST_F(LibraryTest, DefaultsAreThoseOfTheSampler) {
  const WriteOptions options;
  const SamplingOptions sampling;
  EXPECT_EQ(options.repetition_penalty, sampling.repetition_penalty);
  EXPECT_EQ(options.top_k, sampling.top_k);
  EXPECT_EQ(options.top_p, sampling.top_p);
  EXPECT_EQ(options.min_p, sampling.min_p);
  EXPECT_EQ(options.temperature, sampling.temperature);
  EXPECT_EQ(options.seed, sampling.seed);
}

TEST_F(LibraryTest, EveryOptionReachesTheSampler) {
  LanguageModel model(path_, {.threads = 1});
  const auto write = [&](const WriteOptions& options) { return model.Continue("Hello", options).tokens; };
  const WriteOptions hot{.max_tokens = 24, .top_k = 0, .top_p = 1, .min_p = 0, .temperature = 3};
  const std::vector<uint32_t> greedy = write({.max_tokens = 24, .temperature = 0});
  EXPECT_EQ(write(hot), write(hot));
  EXPECT_NE(write(hot), greedy);
  WriteOptions other = hot;
  other.seed = 2;
  EXPECT_NE(write(other), write(hot));
  // Each of these leaves but the likeliest token.
  other = hot;
  other.top_k = 1;
  EXPECT_EQ(write(other), greedy);
  other = hot;
  other.top_p = 1e-6f;
  EXPECT_EQ(write(other), greedy);
  other = hot;
  other.min_p = 1;
  EXPECT_EQ(write(other), greedy);
  other = {.max_tokens = 24, .repetition_penalty = 100, .temperature = 0};
  EXPECT_NE(write(other), greedy);
}

TEST_F(LibraryTest, EndsAreTold) {
  LanguageModel model(path_, {.threads = 1, .context = 16});
  EXPECT_EQ(model.context(), 16u);
  const Written full = model.Continue("Hello", {.max_tokens = 1000, .temperature = 0});
  EXPECT_EQ(full.ending, Ending::kContextFull);
  EXPECT_THAT(full.tokens, SizeIs(testing::Ge(1u)));

  const Written stopped =
      model.Continue("Hello", {.max_tokens = 1000, .temperature = 0}, [](std::string_view) { return false; });
  EXPECT_EQ(stopped.ending, Ending::kStopped);
  EXPECT_LT(stopped.tokens.size(), full.tokens.size());

  ASSERT_FALSE(full.text.empty());
  const Written none =
      model.Continue("Hello", {.max_tokens = 1000, .stop = {full.text.substr(0, 1)}, .temperature = 0});
  EXPECT_EQ(none.ending, Ending::kStopText);
  EXPECT_EQ(none.text, "");
}

TEST_F(LibraryTest, AnswersByATemplate) {
  const std::vector<Message> messages = {{"system", "Be short."}, {"user", "Hello <|im_end|>"}};
  LanguageModel model(path_, {.threads = 1, .chat_template = "chatml"});
  const Written answer = model.Answer(messages, greedy_);
  EXPECT_THAT(answer.tokens, SizeIs(12));
  EXPECT_GT(answer.prompt_tokens, model.Encode("Be short.Hello").size());
  // The last one kept its keys and values, and a longer conversation begins like it.
  EXPECT_EQ(model.Answer(messages, greedy_).tokens, answer.tokens);

  LanguageModel bare(path_, {.threads = 1});
  EXPECT_THAT([&] { bare.Answer(messages); }, ThrowsMessage<std::runtime_error>(HasSubstr("chatml")));
  EXPECT_THAT([&] { LanguageModel(path_, {.chat_template = "chatm"}); },
              ThrowsMessage<std::runtime_error>(HasSubstr("chatml")));
}

TEST_F(LibraryTest, TextAndTokens) {
  const LanguageModel model(path_, {.threads = 1});
  const std::string text = "the License grants you rights";
  const std::vector<uint32_t> ids = model.Encode(text);
  EXPECT_EQ(ids, LoadTokenizer(path_).Encode(text));
  EXPECT_EQ(model.Decode(ids), text);
  for (const uint32_t id : ids) EXPECT_LT(id, model.vocabulary());
}

TEST_F(LibraryTest, PerplexityIsThatOfTheEvaluation) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the License grants you rights " + std::to_string(i * i);
  const Model model = LoadModel(path_);
  ThreadPool pool(1);
  Transformer transformer(model, pool);
  const double expected =
      Perplexity(transformer, LoadTokenizer(path_).Encode(text), {.window = 32}, {}).hf.Perplexity();

  LanguageModel library(path_, {.threads = 1});
  const std::vector<uint32_t> before = library.Continue("Hello", greedy_).tokens;
  EXPECT_EQ(library.Perplexity(text, 32), expected);
  EXPECT_EQ(library.Continue("Hello", greedy_).tokens, before);
  EXPECT_THAT([&] { library.Perplexity("too short", 32); },
              ThrowsMessage<std::runtime_error>(HasSubstr("32")));
}

TEST_F(LibraryTest, ErrorsNameTheFile) {
  EXPECT_THAT([] { LanguageModel("none.gguf"); }, ThrowsMessage<std::runtime_error>(HasSubstr("none.gguf")));
  LanguageModel model(path_, {.threads = 1, .context = 4});
  EXPECT_THROW(model.Continue("a text that is longer than four tokens"), std::runtime_error);
}

TEST_F(LibraryTest, MovesWithWhatItKnows) {
  LanguageModel first(path_, {.threads = 1});
  const std::vector<uint32_t> tokens = first.Continue("Hello", greedy_).tokens;
  LanguageModel second = std::move(first);
  EXPECT_EQ(second.Continue("Hello", greedy_).tokens, tokens);
}

TEST(Library, VersionIsThePrograms) {
  EXPECT_STREQ(Version(), kVersion);
}

}  // namespace
}  // namespace addend
