#include "tune/sign_latents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace addend {
namespace {

SignMatrix RandomSigns(size_t rows, size_t cols) {
  Rng rng(5);
  return SignMatrix::Random(rows, cols, rng);
}

// A gradient that wants entry (r, c) to have the sign of wanted(r, c).
Matrix GradientTowards(const SignMatrix& wanted) {
  Matrix gradient = wanted.ToDense();
  for (float& value : gradient.values()) value *= -1e-4f;
  return gradient;
}

TEST(SignLatents, StartsWithTheSigns) {
  const SignMatrix signs = RandomSigns(5, 70);
  EXPECT_EQ(SignLatents(signs).signs(), signs);
}

TEST(SignLatents, ASignChangesWhenTheVotesAgainstItOutweighItsLatent) {
  const SignMatrix start = RandomSigns(7, 131), wanted = SignMatrix(7, 131);  // all -1
  size_t different = 0;
  for (size_t r = 0; r < 7; ++r) {
    for (size_t c = 0; c < 131; ++c) different += start.IsPlus(r, c);
  }
  SignLatents latents(start);
  const Matrix gradient = GradientTowards(wanted);
  // The steps are the gradient over its root mean square, here 1 for every entry: a rate of 0.3 takes a
  // latent of 1 below zero at the fourth.
  for (int step = 0; step < 3; ++step) EXPECT_EQ(latents.Step(gradient, 0.3f), 0u) << step;
  EXPECT_EQ(latents.signs(), start);
  EXPECT_EQ(latents.Step(gradient, 0.3f), different);
  EXPECT_EQ(latents.signs(), wanted);
}

// The scales of a factored weight make the gradients of some rows and columns large and of others small.
TEST(SignLatents, SmallGradientsAreFavoured) {
  SignLatents latents(SignMatrix(2, 64));  // all -1
  Matrix gradient(2, 64);
  for (size_t c = 0; c < 64; ++c) {
    gradient(0, c) = -1;
    gradient(1, c) = -1.0f / 16;
  }
  latents.Step(gradient, 0.01f);
  const auto moved = [&](size_t row) { return latents.state().latents[row * 64] + 32767; };
  // Adafactor alone would move both alike.
  EXPECT_NEAR(moved(1), 4 * moved(0), 4);
}

TEST(SignLatents, StateGoesOnBitForBit) {
  const SignMatrix start = RandomSigns(9, 65);
  Rng rng(6);
  std::vector<Matrix> gradients;
  for (int i = 0; i < 8; ++i) {
    gradients.emplace_back(9, 65);
    for (float& value : gradients.back().values()) value = rng.Normal();
  }
  SignLatents whole(start), first(start);
  for (const Matrix& gradient : gradients) whole.Step(gradient, 0.4f);
  for (int i = 0; i < 3; ++i) first.Step(gradients[i], 0.4f);
  SignLatents second(first.state(), 9, 65);
  EXPECT_EQ(second.signs(), first.signs());
  for (int i = 3; i < 8; ++i) second.Step(gradients[i], 0.4f);
  EXPECT_EQ(second.state(), whole.state());
  EXPECT_EQ(second.signs(), whole.signs());
  EXPECT_NE(second.signs(), start);
}

TEST(SignLatents, ZeroRowsColumnsAndGradientsAreValid) {
  const SignMatrix start = RandomSigns(3, 4);
  SignLatents latents(start);
  EXPECT_EQ(latents.Step(Matrix(3, 4), 1.0f), 0u);
  Matrix gradient(3, 4);
  gradient(1, 2) = start.Sign(1, 2);
  for (int i = 0; i < 50; ++i) latents.Step(gradient, 1.0f);
  SignMatrix expected = start;
  expected.Set(1, 2, !start.IsPlus(1, 2));
  EXPECT_EQ(latents.signs(), expected);
}

TEST(SignLatents, RefusesWhatDoesNotFit) {
  SignLatents latents(SignMatrix(3, 4));
  EXPECT_THROW(latents.Step(Matrix(4, 3), 1.0f), Error);
  EXPECT_THROW(SignLatents(latents.state(), 4, 3), Error);
}

}  // namespace
}  // namespace addend
