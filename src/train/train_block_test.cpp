#include "train/train_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "train/test_support.h"

namespace addend {
namespace {

using test::ExpectGradient;
using test::RandomMatrix;
using test::WeightedSum;

struct Example {
  std::string name;
  ModelConfig config;
  Block block;
};

ModelConfig SmallConfig() {
  ModelConfig config;
  config.blocks = 1;
  config.hidden = 24;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.feed_forward = 40;
  config.attention_scale = 0.35f;
  config.slides = {false};
  return config;
}

// Every option of the arithmetic at once.
ModelConfig FullConfig() {
  ModelConfig config = SmallConfig();
  config.activation = Activation::kGeluTanh;
  config.qk_norm = true;
  config.post_norms = true;
  config.attention_softcap = 2;
  config.sliding_window = 5;
  config.rope_theta_sliding = 100;
  config.slides = {true};
  return config;
}

Example MakeExample(std::string name, const ModelConfig& config, bool factored, bool bias) {
  Rng rng(99);
  const size_t hidden = config.hidden, q = config.q_size(), kv = config.kv_size(), wide = config.feed_forward;
  const std::pair<size_t, size_t> shapes[] = {{q, hidden},    {kv, hidden},   {kv, hidden},  {hidden, q},
                                              {wide, hidden}, {wide, hidden}, {hidden, wide}};
  Example example{std::move(name), config, {}};
  for (const LinearKind kind : kLinearKinds) {
    const auto [outputs, inputs] = shapes[static_cast<size_t>(kind)];
    example.block[kind] = factored ? test::FactoredLinear(rng, outputs, inputs, 11, bias)
                                   : test::DenseLinear(rng, outputs, inputs, bias);
  }
  example.block.attention_norm = test::RandomScales(rng, hidden);
  example.block.feed_forward_norm = test::RandomScales(rng, hidden);
  if (config.qk_norm) {
    example.block.q_norm = test::RandomScales(rng, config.head_dim);
    example.block.k_norm = test::RandomScales(rng, config.head_dim);
  }
  if (config.post_norms) {
    example.block.post_attention_norm = test::RandomScales(rng, hidden);
    example.block.post_feed_forward_norm = test::RandomScales(rng, hidden);
  }
  return example;
}

std::vector<Example> Examples() {
  return {MakeExample("dense", SmallConfig(), false, false),
          MakeExample("dense, biases", SmallConfig(), false, true),
          MakeExample("dense, all options", FullConfig(), false, false),
          MakeExample("factored", SmallConfig(), true, false),
          MakeExample("factored, all options", FullConfig(), true, true)};
}

// One sequence pair of the example, run forward and back.
struct Outcome {
  Matrix x, dy, y, dx;
  BlockTape tape;
  BlockGradients gradients;
};

constexpr size_t kLength = 9, kRows = 2 * kLength;

Outcome RunBlock(const TrainBlock& block, Workspace& workspace, const LinearObserver& observer = {}) {
  Rng rng(4);
  Outcome outcome{RandomMatrix(rng, kRows, 24),
                  RandomMatrix(rng, kRows, 24),
                  Matrix(kRows, 24),
                  Matrix(kRows, 24),
                  {},
                  {}};
  outcome.gradients = block.MakeGradients(/*wants_weights=*/true);
  block.Forward(outcome.x, kLength, outcome.y, &outcome.tape, workspace);
  block.Backward(outcome.x, outcome.tape, outcome.dy, outcome.dx, &outcome.gradients, workspace, observer);
  return outcome;
}

TEST(TrainBlock, GradientsMatchFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const Example& example : Examples()) {
    SCOPED_TRACE(example.name);
    TrainBlock block(example.config, example.block, 0, Precision::kExact);
    Outcome run = RunBlock(block, workspace);
    const auto loss = [&] {
      block.Forward(run.x, kLength, run.y, nullptr, workspace);
      return WeightedSum(run.y, run.dy);
    };
    // The largest deviation seen is 1.5e-3, of rounding: losses are near 10, gradients of some weights near
    // 0.1.
    ExpectGradient("x", run.x.values(), run.dx.values(), loss);
    ExpectGradient("attention_norm", block.attention_norm(), run.gradients.attention_norm, loss);
    ExpectGradient("feed_forward_norm", block.feed_forward_norm(), run.gradients.feed_forward_norm, loss);
    if (example.config.qk_norm) {
      ExpectGradient("q_norm", block.q_norm(), run.gradients.q_norm, loss);
      ExpectGradient("k_norm", block.k_norm(), run.gradients.k_norm, loss);
    }
    if (example.config.post_norms) {
      ExpectGradient("post_attention_norm", block.post_attention_norm(), run.gradients.post_attention_norm,
                     loss);
      ExpectGradient("post_feed_forward_norm", block.post_feed_forward_norm(),
                     run.gradients.post_feed_forward_norm, loss);
    }
    for (const LinearKind kind : kLinearKinds) {
      SCOPED_TRACE(Name(kind));
      TrainLinear& linear = block.linear(kind);
      LinearGradient& gradient = run.gradients[kind];
      if (linear.factored()) {
        ExpectGradient("a", linear.a(), gradient.a, loss);
        ExpectGradient("mid", linear.mid(), gradient.mid, loss, 2e-3, 2e-3f);  // mid is small: 0.06
        ExpectGradient("b", linear.b(), gradient.b, loss);
      } else {
        ExpectGradient("weight", linear.weight().values(), gradient.weight.values(), loss);
      }
    }
  }
}

TEST(TrainBlock, SequencesDoNotSeeEachOther) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  const Example example = MakeExample("all", FullConfig(), false, true);
  const TrainBlock block(example.config, example.block, 0);
  Outcome run = RunBlock(block, workspace);
  BlockTape tape;
  Matrix y(kLength, 24), dx(kLength, 24);
  const ConstMatrixView second = run.x.view().Rows(kLength, kLength);
  block.Forward(second, kLength, y, &tape, workspace);
  block.Backward(second, tape, run.dy.view().Rows(kLength, kLength), dx, nullptr, workspace);
  for (size_t t = 0; t < kLength; ++t) {
    for (size_t c = 0; c < 24; ++c) {
      EXPECT_NEAR(y(t, c), run.y(kLength + t, c), 1e-5);
      EXPECT_NEAR(dx(t, c), run.dx(kLength + t, c), 1e-5);
    }
  }
}

TEST(TrainBlock, ResultsMayReplaceTheirArguments) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const Example& example : Examples()) {
    const TrainBlock block(example.config, example.block, 0);
    Outcome run = RunBlock(block, workspace);
    Matrix in_place = run.x;
    block.Forward(in_place, kLength, in_place, &run.tape, workspace);
    EXPECT_THAT(in_place.values(), testing::ElementsAreArray(run.y.values())) << example.name;
    in_place = run.dy;
    block.Backward(run.x, run.tape, in_place, in_place, nullptr, workspace);
    EXPECT_THAT(in_place.values(), testing::ElementsAreArray(run.dx.values())) << example.name;
  }
}

TEST(TrainBlock, IsTheSameForAnyNumberOfThreads) {
  for (const Example& example : Examples()) {
    const TrainBlock block(example.config, example.block, 0);
    ThreadPool one(1), three(3);
    Workspace workspace_of_one(one), workspace_of_three(three);
    const Outcome a = RunBlock(block, workspace_of_one), b = RunBlock(block, workspace_of_three);
    EXPECT_THAT(b.y.values(), testing::ElementsAreArray(a.y.values())) << example.name;
    EXPECT_THAT(b.dx.values(), testing::ElementsAreArray(a.dx.values())) << example.name;
    EXPECT_EQ(b.gradients.attention_norm, a.gradients.attention_norm) << example.name;
    EXPECT_EQ(b.gradients[LinearKind::kGate].mid, a.gradients[LinearKind::kGate].mid) << example.name;
  }
}

// What observers are shown gives the gradient of the weights: dy^T x.
TEST(TrainBlock, StopsWhereTheObserverHasSeenEnough) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const Example example = MakeExample("all", FullConfig(), false, true);
  const TrainBlock block(example.config, example.block, 0);
  const Matrix x = RunBlock(block, workspace).x;
  for (size_t wanted = 1; wanted <= 4; ++wanted) {
    Matrix y(kRows, 24);
    size_t seen = 0;
    block.Forward(x, kLength, y, nullptr, workspace,
                  [&](LinearKind, ConstMatrixView) { return ++seen < wanted; });
    EXPECT_EQ(seen, wanted);
    for (const float value : y.values()) ASSERT_EQ(value, 0);
  }
}

TEST(TrainBlock, ObserversSeeInputsAndOutputGradients) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const Example example = MakeExample("all", FullConfig(), false, true);
  const TrainBlock block(example.config, example.block, 0);
  std::map<LinearKind, Matrix> inputs, products;
  const auto input_observer = [&](LinearKind kind, ConstMatrixView x) {
    Matrix copy(x.rows, x.cols);
    CopyRows(x, copy);
    EXPECT_TRUE(inputs.emplace(kind, copy).second);
    return true;
  };
  const Outcome run = RunBlock(block, workspace, [&](LinearKind kind, ConstMatrixView x, ConstMatrixView dy) {
    Matrix product(dy.cols, x.cols);
    for (size_t t = 0; t < x.rows; ++t) {
      for (size_t r = 0; r < dy.cols; ++r) {
        for (size_t c = 0; c < x.cols; ++c) product(r, c) += dy(t, r) * x(t, c);
      }
    }
    EXPECT_TRUE(products.emplace(kind, product).second);
    if (kind == LinearKind::kDown) {
      Matrix y(kRows, 24);
      BlockTape tape;
      block.Forward(RunBlock(block, workspace).x, kLength, y, &tape, workspace, input_observer);
      for (size_t t = 0; t < kRows; ++t) {
        for (size_t c = 0; c < x.cols; ++c) EXPECT_EQ(inputs.at(kind)(t, c), x(t, c));
      }
    }
  });
  EXPECT_THAT(inputs, testing::UnorderedElementsAre(
                          testing::Key(LinearKind::kQ), testing::Key(LinearKind::kO),
                          testing::Key(LinearKind::kGate), testing::Key(LinearKind::kDown)));
  ASSERT_EQ(products.size(), kLinearKinds.size());
  for (const LinearKind kind : kLinearKinds) {
    const Matrix& weight = run.gradients[kind].weight;
    for (size_t i = 0; i < weight.size(); ++i) {
      EXPECT_NEAR(products[kind].values()[i], weight.values()[i], 1e-5 * (1 + std::abs(weight.values()[i])));
    }
  }
}

TEST(TrainBlock, RefusesBrokenSequences) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const Example example = MakeExample("", SmallConfig(), false, false);
  const TrainBlock block(example.config, example.block, 0);
  Matrix x(10, 24);
  for (const size_t length : {0, 3}) {
    EXPECT_THAT([&] { block.Forward(x, length, x, nullptr, workspace); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("10 rows are not whole sequences")));
  }
}

}  // namespace
}  // namespace addend
