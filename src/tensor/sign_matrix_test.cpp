#include "tensor/sign_matrix.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace addend {
namespace {

// Around a byte, a word and two words.
constexpr size_t kAwkwardSizes[] = {1, 7, 8, 9, 63, 64, 65, 130};

SignMatrix RandomSigns(size_t rows, size_t cols, uint64_t seed) {
  Rng rng(seed);
  SignMatrix signs(rows, cols);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) signs.Set(r, c, rng.Below(2) == 1);
  }
  return signs;
}

// The invariant that kernels count on.
bool PaddingIsZero(const SignMatrix& signs) {
  const size_t used = signs.cols() % 64;
  if (used == 0) return true;
  for (size_t r = 0; r < signs.rows(); ++r) {
    if (signs.Row(r).back() >> used != 0) return false;
  }
  return true;
}

TEST(SignMatrix, StartsAsAllMinusOne) {
  const SignMatrix signs(3, 65);
  EXPECT_EQ(signs.words_per_row(), 2u);
  for (size_t c = 0; c < 65; ++c) EXPECT_EQ(signs.Sign(2, c), -1.0f);
}

TEST(SignMatrix, RandomOnesAreBalancedAndPadded) {
  Rng rng(3);
  for (const size_t cols : kAwkwardSizes) {
    const SignMatrix signs = SignMatrix::Random(1000, cols, rng);
    EXPECT_TRUE(PaddingIsZero(signs)) << cols;
    size_t plus = 0;
    for (size_t r = 0; r < 1000; ++r) plus += signs.IsPlus(r, cols - 1);
    EXPECT_NEAR(plus, 500, 80) << cols;  // five standard deviations
  }
}

TEST(SignMatrix, SetChangesOneSign) {
  SignMatrix signs(2, 70);
  signs.Set(1, 64, true);
  signs.Set(1, 65, true);
  signs.Set(1, 65, false);
  EXPECT_EQ(std::popcount(signs.Row(0)[0]) + std::popcount(signs.Row(0)[1]) + std::popcount(signs.Row(1)[0]),
            0);
  EXPECT_EQ(signs.Row(1)[1], 1u);
}

TEST(SignMatrix, SignOfZeroIsPlus) {
  const SignMatrix signs = SignMatrix::FromDense(Matrix(1, 4, {0.0f, -0.0f, -1e-30f, 3.0f}));
  EXPECT_EQ(signs.ToDense().Row(0)[0], 1.0f);
  EXPECT_EQ(signs.Row(0)[0], 0b1011u);
}

TEST(SignMatrix, NanHasNoSign) {
  EXPECT_THROW(SignMatrix::FromDense(Matrix(1, 2, {1.0f, std::nanf("")})), Error);
}

TEST(SignMatrix, DenseRoundTrip) {
  for (const size_t cols : kAwkwardSizes) {
    const SignMatrix signs = RandomSigns(3, cols, cols);
    EXPECT_EQ(SignMatrix::FromDense(signs.ToDense()), signs) << cols;
  }
}

// By hand from docs/format.md, "Packed signs".
TEST(SignMatrix, BytesAreLeastSignificantBitFirst) {
  SignMatrix signs(2, 10);
  signs.Set(0, 0, true);
  signs.Set(0, 3, true);
  signs.Set(0, 9, true);
  signs.Set(1, 7, true);
  const std::vector<std::byte> expected = {std::byte{0b1001}, std::byte{0b10}, std::byte{0x80}, std::byte{0}};
  EXPECT_EQ(signs.ToBytes(), expected);
  EXPECT_EQ(SignMatrix::FromBytes(expected, 2, 10), signs);
}

TEST(SignMatrix, BytesRoundTrip) {
  for (const size_t cols : kAwkwardSizes) {
    const SignMatrix signs = RandomSigns(5, cols, cols);
    const std::vector<std::byte> bytes = signs.ToBytes();
    EXPECT_EQ(bytes.size(), 5 * ((cols + 7) / 8));
    EXPECT_EQ(SignMatrix::FromBytes(bytes, 5, cols), signs) << cols;
  }
}

TEST(SignMatrix, StrayBitsOfAFileAreCleared) {
  for (const size_t cols : kAwkwardSizes) {
    const std::vector<std::byte> ones(2 * ((cols + 7) / 8), std::byte{0xff});
    const SignMatrix signs = SignMatrix::FromBytes(ones, 2, cols);
    EXPECT_TRUE(PaddingIsZero(signs)) << cols;
    EXPECT_TRUE(signs.IsPlus(1, cols - 1)) << cols;
  }
}

TEST(SignMatrix, BytesOfAnotherSizeAreRefused) {
  EXPECT_THROW(SignMatrix::FromBytes(std::vector<std::byte>(3), 2, 10), Error);
  EXPECT_THROW(SignMatrix::FromBytes(std::vector<std::byte>(5), 2, 10), Error);
}

TEST(SignMatrix, TransposedEqualsTheDenseTranspose) {
  for (const size_t rows : kAwkwardSizes) {
    for (const size_t cols : kAwkwardSizes) {
      const SignMatrix transposed = RandomSigns(rows, cols, rows * 1000 + cols).Transposed();
      const Matrix expected = Transpose(RandomSigns(rows, cols, rows * 1000 + cols).ToDense());
      ASSERT_EQ(transposed, SignMatrix::FromDense(expected)) << rows << " x " << cols;
      ASSERT_TRUE(PaddingIsZero(transposed));
    }
  }
}

}  // namespace
}  // namespace addend
