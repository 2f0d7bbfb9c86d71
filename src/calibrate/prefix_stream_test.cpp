#include "calibrate/prefix_stream.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "linalg/gemm.h"
#include "support.h"

namespace addend {
namespace {

class PrefixStreamTest : public ::testing::Test {
 protected:
  PrefixStreamTest() {
    Rng rng(3);
    for (auto& sequence : sequences_) {
      for (TokenId& id : sequence) id = static_cast<TokenId>(rng.Below(dense_.config.vocabulary));
    }
  }

  // The weight with noise of a third of its size.
  Linear Noisy(const Linear& linear) {
    Matrix weight = linear.ToDense();
    double squares = 0;
    for (const float value : weight.values()) squares += value * value;
    const auto noise = static_cast<float>(std::sqrt(squares / static_cast<double>(weight.size())) / 3);
    for (float& value : weight.values()) value += noise * rng_.Normal();
    return {.weight = StoredMatrix::FromFloats(weight, DType::kF32), .bias = linear.bias};
  }

  const Model dense_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  std::vector<std::vector<TokenId>> sequences_ = std::vector(20, std::vector<TokenId>(24));
  Rng rng_{5};
  ThreadPool pool_{2};
};

TEST_F(PrefixStreamTest, BehindTheOriginalNothingIsCorrected) {
  PrefixStream stream(dense_, dense_.embedding, sequences_, pool_);
  stream.Advance(dense_.blocks[0]);
  for (const Site site : kSites) {
    const SiteMoments moments = stream.Measure(site, dense_.blocks[1]);
    for (const LinearKind kind : LinearsOf(site)) {
      const Matrix weight = dense_.blocks[1][kind].ToDense();
      const Matrix corrected = CorrectedWeight(weight, moments, 0.1f, pool_);
      for (size_t i = 0; i < weight.size(); ++i) {
        ASSERT_NEAR(corrected.values()[i], weight.values()[i], 1e-4) << Name(kind) << " " << i;
      }
    }
  }
}

// The squared error of the outputs that `weight` gives from x, up to what does not depend on it:
// tr(V H V^T) - 2 tr(V (W C + R)^T).
double OutputError(const Matrix& weight, const Matrix& original, const SiteMoments& moments,
                   ThreadPool& pool) {
  Matrix target(weight.rows(), weight.cols()), image(weight.rows(), weight.cols());
  Gemm(Op::kNone, original, Op::kNone, moments.cross, target, pool);
  Gemm(Op::kNone, weight, Op::kNone, moments.covariance, image, pool);
  double error = 0;
  for (size_t i = 0; i < weight.rows(); ++i) {
    for (size_t j = 0; j < weight.cols(); ++j) {
      const double wanted = target(i, j) + (moments.residual.empty() ? 0.0f : moments.residual(i, j));
      error += weight(i, j) * (image(i, j) - 2 * wanted);
    }
  }
  return error;
}

TEST_F(PrefixStreamTest, BehindACompressedPrefixTheOutputsComeCloser) {
  PrefixStream stream(dense_, dense_.embedding, sequences_, pool_);
  Block first = dense_.blocks[0];
  for (const LinearKind kind : kLinearKinds) first[kind] = Noisy(first[kind]);
  stream.Advance(first);
  Block block = dense_.blocks[1];
  for (const Site site : kSites) {
    const SiteMoments moments = stream.Measure(site, block);
    EXPECT_EQ(moments.residual.empty(), site == Site::kAttention || site == Site::kFeedForward);
    for (const LinearKind kind : LinearsOf(site)) {
      const Matrix weight = dense_.blocks[1][kind].ToDense();
      const Matrix corrected = CorrectedWeight(weight, moments, 1e-3f, pool_);
      const double best = OutputError(corrected, weight, moments, pool_);
      EXPECT_LT(best, OutputError(weight, weight, moments, pool_)) << Name(kind);
      // No step in a random direction makes it better but for what damping costs.
      Matrix other = corrected;
      for (float& value : other.values()) value *= 1 + 0.1f * rng_.Normal();
      EXPECT_LT(best, OutputError(other, weight, moments, pool_)) << Name(kind);
      block[kind] = Noisy(block[kind]);
    }
  }
}

}  // namespace
}  // namespace addend
