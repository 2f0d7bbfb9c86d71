#include "tensor/factored_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "tensor/half.h"

namespace addend {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<float> RandomScales(size_t count, float size, Rng& rng) {
  std::vector<float> scales(count);
  for (float& scale : scales) scale = size * rng.Normal();
  return scales;
}

FactoredWeight RandomWeight(size_t outputs, size_t inputs, size_t rank) {
  Rng rng(20240611);
  // Sizes that a factorizer might leave: mid is beyond fp16, b near its smallest.
  return {SignMatrix::Random(outputs, rank, rng), SignMatrix::Random(rank, inputs, rng),
          RandomScales(outputs, 1.0f, rng), RandomScales(rank, 1e6f, rng), RandomScales(inputs, 1e-7f, rng)};
}

TEST(FactoredWeight, DenseByHand) {
  FactoredWeight w;
  w.A = SignMatrix::FromDense(Matrix(2, 2, {1, -1, 1, 1}));
  w.B = SignMatrix::FromDense(Matrix(2, 3, {1, 1, -1, -1, 1, 1}));
  w.a = {1, 10};
  w.mid = {2, 3};
  w.b = {1, -1, 0.5f};
  // A diag(mid) B = [2+3, 2-3, -2-3; 2-3, 2+3, -2+3]
  const Matrix expected(2, 3, {5, 1, -2.5f, -10, -50, 5});
  const Matrix dense = w.ToDense();
  for (size_t r = 0; r < 2; ++r) EXPECT_THAT(dense.Row(r), ::testing::ElementsAreArray(expected.Row(r)));
}

TEST(FactoredWeight, RoundedScalesAreHalvesAndKeepTheProduct) {
  FactoredWeight w = RandomWeight(20, 30, 10);
  const Matrix before = w.ToDense();
  w.RoundScalesToHalf();
  for (const auto* scales : {&w.a, &w.mid, &w.b}) {
    for (const float scale : *scales) {
      EXPECT_EQ(scale, RoundToHalf(scale));
      EXPECT_TRUE(std::isfinite(scale));
    }
  }
  const Matrix after = w.ToDense();
  double error = 0, norm = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    error += std::pow(after.values()[i] - before.values()[i], 2);
    norm += std::pow(before.values()[i], 2);
  }
  EXPECT_LT(std::sqrt(error / norm), 3 * 0x1p-11);  // three roundings of at most 2^-11 each
}

TEST(FactoredWeight, RoundingAgainChangesNothing) {
  FactoredWeight w = RandomWeight(20, 30, 10);
  w.RoundScalesToHalf();
  const Matrix once = w.ToDense();
  w.RoundScalesToHalf();
  EXPECT_THAT(w.ToDense().values(), ::testing::ElementsAreArray(once.values()));
}

TEST(FactoredWeight, ZeroScalesStayZero) {
  FactoredWeight w = RandomWeight(4, 4, 2);
  std::fill(w.mid.begin(), w.mid.end(), 0.0f);
  w.RoundScalesToHalf();
  EXPECT_THAT(w.ToDense().values(), ::testing::Each(0.0f));
}

TEST(FactoredWeight, ValidateNamesWhatIsWrong) {
  const FactoredWeight good = RandomWeight(4, 6, 3);
  EXPECT_NO_THROW(good.Validate());

  FactoredWeight short_mid = good;
  short_mid.mid.pop_back();
  EXPECT_THAT([&] { short_mid.Validate(); }, ThrowsMessage<Error>(HasSubstr("mid has 2 scales, 3 needed")));

  FactoredWeight other_rank = good;
  other_rank.B = SignMatrix(2, 6);
  EXPECT_THAT([&] { other_rank.Validate(); }, ThrowsMessage<Error>(HasSubstr("A has rank 3, B has rank 2")));

  FactoredWeight infinite = good;
  infinite.b[5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT([&] { infinite.Validate(); }, ThrowsMessage<Error>(HasSubstr("b[5] is not finite")));
}

// The widths of SmolLM2-135M at 1.0 bit, scales included, worked by hand from the formula in docs/format.md.
TEST(RankForBits, SmolLm2AtOneBit) {
  EXPECT_EQ(RankForBits(576, 576, 1.0), 268u);
  EXPECT_EQ(RankForBits(1536, 576, 1.0), 399u);
  EXPECT_EQ(RankForBits(576, 1536, 1.0), 399u);
}

TEST(RankForBits, IsTheLargestThatFits) {
  for (const size_t outputs : {1, 64, 192, 577, 4096}) {
    for (const size_t inputs : {1, 100, 576, 1537}) {
      for (const double bits : {0.3, 1.0, 1.7, 4.0}) {
        const size_t rank = RankForBits(outputs, inputs, bits);
        EXPECT_TRUE(rank == 0 || BitsPerWeight(outputs, inputs, rank) <= bits);
        EXPECT_GT(BitsPerWeight(outputs, inputs, rank + 1), bits)
            << outputs << " x " << inputs << " at " << bits;
      }
    }
  }
}

TEST(RankForBits, InvertsBitsPerWeight) {
  for (size_t rank = 1; rank < 2000; ++rank) {
    ASSERT_EQ(RankForBits(1536, 577, BitsPerWeight(1536, 577, rank)), rank);
  }
}

TEST(RankForBits, ScalesAloneMayNotFit) {
  EXPECT_EQ(RankForBits(8, 8, 1.0), 0u);
  EXPECT_EQ(RankForBits(576, 576, 0), 0u);
  EXPECT_EQ(RankForBits(576, 576, std::nan("")), 0u);
}

}  // namespace
}  // namespace addend
