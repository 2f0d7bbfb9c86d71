#include "train/attention.h"

#include <gtest/gtest.h>

#include "train/test_support.h"

namespace addend {
namespace {

struct Case {
  const char* name;
  AttentionShape shape;
  size_t sequences;
};

// Lengths around the tile of 64 queries; windows shorter than, equal to and longer than a tile.
const Case kCases[] = {
    {"one token", {.heads = 2, .kv_heads = 1, .head_dim = 4, .length = 1, .scale = 0.5f}, 3},
    {"short", {.heads = 2, .kv_heads = 2, .head_dim = 6, .length = 5, .scale = 0.4f}, 2},
    {"tile", {.heads = 1, .kv_heads = 1, .head_dim = 8, .length = 64, .scale = 0.35f}, 1},
    {"grouped", {.heads = 6, .kv_heads = 2, .head_dim = 8, .length = 65, .scale = 0.35f}, 2},
    {"softcap", {.heads = 2, .kv_heads = 1, .head_dim = 8, .length = 70, .scale = 1, .softcap = 2}, 1},
    {"window 1", {.heads = 1, .kv_heads = 1, .head_dim = 4, .length = 20, .window = 1, .scale = 1}, 1},
    {"window 10", {.heads = 2, .kv_heads = 1, .head_dim = 8, .length = 150, .window = 10, .scale = 0.35f}, 1},
    {"window 100",
     {.heads = 2, .kv_heads = 2, .head_dim = 8, .length = 150, .window = 100, .scale = 0.35f},
     2},
    {"all",
     {.heads = 4, .kv_heads = 2, .head_dim = 8, .length = 131, .window = 64, .scale = 0.5f, .softcap = 3},
     1},
};

struct Example {
  Matrix q, k, v, out, log_sum_exp;
  AttentionInputs inputs() const { return {q, k, v}; }
};

Example RandomExample(const Case& c, uint64_t seed) {
  Rng rng(seed);
  const size_t tokens = c.sequences * c.shape.length;
  const size_t q_size = c.shape.heads * c.shape.head_dim, kv_size = c.shape.kv_heads * c.shape.head_dim;
  return {test::RandomMatrix(rng, tokens, q_size), test::RandomMatrix(rng, tokens, kv_size),
          test::RandomMatrix(rng, tokens, kv_size), Matrix(tokens, q_size), Matrix(tokens, c.shape.heads)};
}

// One query of one head, in double.
std::vector<double> SlowAttention(const AttentionShape& shape, const Example& e, size_t row, size_t head) {
  const size_t position = row % shape.length, start = row - position;
  const size_t oldest = shape.window == 0 || position < shape.window ? 0 : position - shape.window + 1;
  const size_t q_col = head * shape.head_dim, kv_col = head / (shape.heads / shape.kv_heads) * shape.head_dim;
  std::vector<double> out(shape.head_dim);
  double sum = 0;
  for (size_t key = oldest; key <= position; ++key) {
    double score = 0;
    for (size_t d = 0; d < shape.head_dim; ++d) {
      score += static_cast<double>(e.q(row, q_col + d)) * e.k(start + key, kv_col + d);
    }
    score *= shape.scale;
    if (shape.softcap != 0) score = shape.softcap * std::tanh(score / shape.softcap);
    sum += std::exp(score);
    for (size_t d = 0; d < shape.head_dim; ++d) out[d] += std::exp(score) * e.v(start + key, kv_col + d);
  }
  for (double& value : out) value /= sum;
  out.push_back(std::log(sum));
  return out;
}

TEST(Attention, ForwardMatchesTheDefinition) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const Case& c : kCases) {
    Example e = RandomExample(c, 7);
    AttentionForward(c.shape, e.inputs(), e.out, e.log_sum_exp, workspace);
    for (size_t row = 0; row < e.q.rows(); ++row) {
      for (size_t head = 0; head < c.shape.heads; ++head) {
        const std::vector<double> expected = SlowAttention(c.shape, e, row, head);
        for (size_t d = 0; d < c.shape.head_dim; ++d) {
          ASSERT_NEAR(e.out(row, head * c.shape.head_dim + d), expected[d], 5e-6) << c.name << " row " << row;
        }
        ASSERT_NEAR(e.log_sum_exp(row, head), expected.back(), 5e-6) << c.name << " row " << row;
      }
    }
  }
}

TEST(Attention, BackwardMatchesFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const Case& c : kCases) {
    Example e = RandomExample(c, 11);
    Rng rng(12);
    const Matrix d_out = test::RandomMatrix(rng, e.out.rows(), e.out.cols());
    const auto loss = [&] {
      AttentionForward(c.shape, e.inputs(), e.out, e.log_sum_exp, workspace);
      return test::WeightedSum(e.out, d_out);
    };
    loss();
    Matrix d_q(e.q.rows(), e.q.cols()), d_k(e.k.rows(), e.k.cols()), d_v(e.v.rows(), e.v.cols());
    AttentionBackward(c.shape, e.inputs(), e.out, e.log_sum_exp, d_out, {d_q, d_k, d_v}, workspace);
    const std::string name = c.name;
    if (c.shape.length > 1 && c.shape.window != 1) {  // else a token sees only itself: q and k do not matter
      test::ExpectGradient(name + ": q", e.q.values(), d_q.values(), loss);
      test::ExpectGradient(name + ": k", e.k.values(), d_k.values(), loss);
    }
    test::ExpectGradient(name + ": v", e.v.values(), d_v.values(), loss);
  }
}

TEST(Attention, IsTheSameForAnyNumberOfThreads) {
  const Case& c = kCases[3];
  const auto run = [&](size_t threads) {
    ThreadPool pool(threads);
    Workspace workspace(pool);
    Example e = RandomExample(c, 3);
    AttentionForward(c.shape, e.inputs(), e.out, e.log_sum_exp, workspace);
    Matrix d_q(e.q.rows(), e.q.cols()), d_k(e.k.rows(), e.k.cols()), d_v(e.v.rows(), e.v.cols());
    AttentionBackward(c.shape, e.inputs(), e.out, e.log_sum_exp, e.q, {d_q, d_k, d_v}, workspace);
    std::vector<float> all;
    for (const Matrix* m : {&e.out, &d_q, &d_k, &d_v})
      all.insert(all.end(), m->values().begin(), m->values().end());
    return all;
  };
  const std::vector<float> one = run(1);
  EXPECT_EQ(run(2), one);
  EXPECT_EQ(run(3), one);
}

}  // namespace
}  // namespace addend
