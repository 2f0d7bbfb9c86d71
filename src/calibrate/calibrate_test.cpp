#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "calibrate/calibration_text.h"
#include "calibrate/covariance.h"
#include "calibrate/importance.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::HasSubstr;
using Sequences = std::vector<std::vector<TokenId>>;

// Bytes as tokens and nothing else.
Tokenizer ByteTokenizer() {
  Json vocabulary = Json::object();
  // GPT-2's byte alphabet: printable bytes stand for themselves, and the others are not used here.
  for (TokenId id = 33; id < 127; ++id) vocabulary[std::string(1, static_cast<char>(id))] = id;
  vocabulary["Ġ"] = 32;  // space
  vocabulary["Ċ"] = 10;  // line feed
  const Json json = {
      {"version", "1.0"},
      {"added_tokens", Json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}}};
  return Tokenizer::FromJson(json.dump(), "", "byte tokenizer");
}

class CalibrationTextTest : public ::testing::Test {
 protected:
  Path File(const std::string& name, char letter, size_t size) {
    WriteFileAtomically(folder_ / name, std::string(size, letter));
    return folder_ / name;
  }
  const test::TemporaryFolder folder_;
  const Tokenizer tokenizer_ = ByteTokenizer();
};

TEST_F(CalibrationTextTest, MixesSourcesInEveryPart) {
  const std::vector<Path> files = {File("a", 'a', 64 * 10), File("b", 'b', 32 * 10)};
  const CalibrationText text =
      ReadCalibrationText(files, tokenizer_, {.length = 10, .max_sequences = 1000, .held_out = 6, .seed = 1});
  EXPECT_EQ(text.training.size(), 84u);
  EXPECT_EQ(text.held_out.size(), 6u);
  EXPECT_EQ(text.test.size(), 6u);
  const auto count = [](const Sequences& sequences, size_t prefix, TokenId token) {
    return std::count_if(sequences.begin(), sequences.begin() + static_cast<ptrdiff_t>(prefix),
                         [&](const auto& s) { return s.front() == token; });
  };
  EXPECT_EQ(count(text.held_out, 6, 'a'), 4);
  EXPECT_EQ(count(text.test, 6, 'a'), 4);
  for (const size_t prefix : {3, 12, 30, 60}) {
    EXPECT_NEAR(static_cast<double>(count(text.training, prefix, 'a')), static_cast<double>(prefix) * 2 / 3,
                1.01);
  }
}

TEST_F(CalibrationTextTest, DependsOnTheSeedAlone) {
  std::string alphabet;
  for (int i = 0; i < 400; ++i) alphabet += static_cast<char>('A' + i % 50);
  WriteFileAtomically(folder_ / "x", alphabet);
  const std::vector<Path> files = {folder_ / "x"};
  const auto read = [&](uint64_t seed) {
    return ReadCalibrationText(files, tokenizer_, {.length = 8, .held_out = 2, .seed = seed});
  };
  EXPECT_EQ(read(1).hash, read(1).hash);
  EXPECT_NE(read(1).training, read(2).training);
  EXPECT_EQ(read(1).held_out, read(2).held_out);
}

TEST_F(CalibrationTextTest, EverySequenceHasOneUse) {
  std::string alphabet;
  for (char letter = 'A'; letter <= 'Z'; ++letter) alphabet += std::string(5, letter);
  WriteFileAtomically(folder_ / "x", alphabet);
  const std::vector<Path> files = {folder_ / "x"};
  const CalibrationText text = ReadCalibrationText(files, tokenizer_, {.length = 5});
  // What is kept apart comes from everywhere, in turn.
  EXPECT_EQ(text.test, (Sequences{Sequences::value_type(5, 'C'), Sequences::value_type(5, 'K'),
                                  Sequences::value_type(5, 'T')}));
  EXPECT_EQ(text.held_out, (Sequences{Sequences::value_type(5, 'G'), Sequences::value_type(5, 'P'),
                                      Sequences::value_type(5, 'X')}));
  std::string trained;
  for (const auto& sequence : text.training) trained += static_cast<char>(sequence.front());
  std::sort(trained.begin(), trained.end());
  EXPECT_EQ(trained, "ABDEFHIJLMNOQRSUVWYZ");
}

TEST_F(CalibrationTextTest, ThreeSmallFilesServeAllThreeParts) {
  const std::vector<Path> files = {File("a", 'a', 10), File("b", 'b', 10), File("c", 'c', 10)};
  const CalibrationText text = ReadCalibrationText(files, tokenizer_, {.length = 10});
  EXPECT_EQ(text.training.size(), 1u);
  EXPECT_EQ(text.held_out.size(), 1u);
  EXPECT_EQ(text.test.size(), 1u);
}

TEST_F(CalibrationTextTest, TooLittleTextIsAnError) {
  const std::vector<Path> files = {File("a", 'a', 15)};
  try {
    ReadCalibrationText(files, tokenizer_, {.length = 10});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 sequences of 10 tokens, at least 3 are needed"));
  }
}

TEST(SequenceLength, AllMustBeEqual) {
  EXPECT_EQ(SequenceLength(Sequences{{1, 2}, {3, 4}}), 2u);
  EXPECT_THROW(SequenceLength(Sequences{}), Error);
  EXPECT_THROW(SequenceLength(Sequences{{1, 2}, {3}}), Error);
  EXPECT_THROW(SequenceLength(Sequences{{1}}), Error);
}

Sequences RandomSequences(size_t count, size_t length, size_t vocabulary) {
  Rng rng(7);
  Sequences sequences(count, std::vector<TokenId>(length));
  for (auto& sequence : sequences) {
    for (TokenId& id : sequence) id = static_cast<TokenId>(rng.Below(vocabulary));
  }
  return sequences;
}

TEST(Covariance, DiagonalIsTheInputImportance) {
  const Model model = LoadModel(test::GoldenPath("tiny_models/qwen3"));
  ThreadPool pool(2);
  const Sequences sequences =
      RandomSequences(11, 24, model.config.vocabulary);  // more than one group in flight
  const ModelImportance importance = MeasureImportance(model, sequences, pool, {});
  DenseStream stream(model, sequences, pool);
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    BlockCovariance covariance = stream.Next();
    for (const LinearKind kind : kLinearKinds) {
      const Matrix& h = covariance.For(kind);
      const std::vector<float>& input = importance[b][static_cast<size_t>(kind)].input;
      ASSERT_EQ(h.rows(), input.size());
      // Two float32 sums over the same 264 squares, in different order.
      for (size_t j = 0; j < input.size(); ++j) EXPECT_NEAR(h(j, j), input[j], 264 * 6e-8 * input[j] + 1e-12);
    }
  }
}

TEST(Importance, DoesNotDependOnGroupsOrThreads) {
  const Model model = LoadModel(test::GoldenPath("tiny_models/llama"));
  const Sequences sequences = RandomSequences(9, 16, model.config.vocabulary);
  ThreadPool one(1), three(3);
  const ModelImportance a = MeasureImportance(model, sequences, one, {});
  const ModelImportance b = MeasureImportance(model, sequences, three, {});
  for (size_t block = 0; block < a.size(); ++block) {
    for (size_t k = 0; k < kLinearKinds.size(); ++k) {
      EXPECT_EQ(a[block][k].input, b[block][k].input);
      EXPECT_EQ(a[block][k].output, b[block][k].output);
      EXPECT_TRUE(std::ranges::equal(a[block][k].output_correlation.below_diagonal(),
                                     b[block][k].output_correlation.below_diagonal()));
    }
  }
  // The mean over sequences of what each alone gives.
  std::vector<double> sum(model.config.q_size());
  for (const auto& sequence : sequences) {
    const ModelImportance alone = MeasureImportance(model, std::span(&sequence, 1), one, {});
    for (size_t k = 0; k < sum.size(); ++k) sum[k] += alone[1][0].output[k];
  }
  for (size_t k = 0; k < sum.size(); ++k) EXPECT_NEAR(a[1][0].output[k], sum[k] / 9, 1e-4 * sum[k] / 9);
}

TEST(Importance, MomentsOfOutputsAreMeansOverSequences) {
  const Model model = LoadModel(test::GoldenPath("tiny_models/llama"));
  const Sequences sequences = RandomSequences(5, 16, model.config.vocabulary);
  ThreadPool pool(2);
  const auto moments = [&](SequenceSpan some) {
    const LinearImportance importance = MeasureImportance(model, some, pool, {})[1][0];
    Matrix m = importance.output_correlation.ToDense();
    for (size_t i = 0; i < m.rows(); ++i) {
      for (size_t j = 0; j < m.cols(); ++j) m(i, j) *= std::sqrt(importance.output[i] * importance.output[j]);
    }
    return m;
  };
  const Matrix together = moments(sequences);
  Matrix mean(together.rows(), together.cols());
  for (const auto& sequence : sequences) {
    const Matrix alone = moments({&sequence, 1});
    for (size_t i = 0; i < mean.size(); ++i) mean.data()[i] += alone.data()[i] / 5;
  }
  for (size_t i = 0; i < mean.rows(); ++i) {
    for (size_t j = 0; j < mean.cols(); ++j) {
      EXPECT_NEAR(together(i, j), mean(i, j), 2e-3 * std::sqrt(mean(i, i) * mean(j, j))) << i << " " << j;
    }
  }
}

TEST(CorrelationMatrix, KeepsWhatFp16Holds) {
  const Matrix moments(3, 3, {4, -1, 0, -1, 1, 0, 0, 0, 0});  // the third never moves
  const CorrelationMatrix correlation(moments);
  const Matrix dense = correlation.ToDense();
  const Matrix expected(3, 3, {1, -0.5f, 0, -0.5f, 1, 0, 0, 0, 1});
  EXPECT_TRUE(std::ranges::equal(dense.values(), expected.values()));
  EXPECT_EQ(correlation.below_diagonal().size(), 3);
  EXPECT_TRUE(CorrelationMatrix().empty());
  EXPECT_EQ(CorrelationMatrix(Matrix(1, 1, {2})).ToDense()(0, 0), 1);
  EXPECT_THROW(CorrelationMatrix(3, {0, 0}), Error);
}

// Golden: transformers on the same weights, float32 (tests/golden/README.md).
TEST(Importance, SmolLm2MatchesTransformers) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2");
  const Model model = LoadModel(*path);
  const Json golden = ParseJson(ReadTextFile(test::GoldenPath("smollm2_importance.json")), "golden");
  ThreadPool pool;
  const ModelImportance importance = MeasureImportance(model, golden["ids"].get<Sequences>(), pool, {});
  const std::map<std::string, LinearKind> kinds = {{"q_proj", LinearKind::kQ},
                                                   {"v_proj", LinearKind::kV},
                                                   {"o_proj", LinearKind::kO},
                                                   {"gate_proj", LinearKind::kGate},
                                                   {"down_proj", LinearKind::kDown}};
  for (const auto& [name, expected] : golden["layers"].items()) {
    const size_t block = std::stoul(name.substr(std::string("model.layers.").size()));
    const LinearKind kind = kinds.at(name.substr(name.rfind('.') + 1));
    const LinearImportance& found = importance[block][static_cast<size_t>(kind)];
    // The golden model's weights had been rounded to F16: sums differ by up to 1.2e-3, single values by more.
    const auto check = [&, layer = name](const char* what, const std::vector<float>& values,
                                         double tolerance) {
      const double sum = std::accumulate(values.begin(), values.end(), 0.0);
      const double needed = expected[std::string(what) + "_sum"];
      EXPECT_NEAR(sum, needed, tolerance * needed) << layer << " " << what;
      for (size_t i = 0; i < 8; ++i) {
        const double value = expected[std::string(what) + "_first8"][i];
        EXPECT_NEAR(values[i], value, 5 * tolerance * value) << layer << " " << what << " " << i;
      }
    };
    check("input_mean_square", found.input, 2e-3);
    check("output_grad_mean_square", found.output, 3e-3);
  }
}

}  // namespace
}  // namespace addend
