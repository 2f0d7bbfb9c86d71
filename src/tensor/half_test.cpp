#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace addend {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The definition: sign, 5 bits of exponent with bias 15, 10 bits of mantissa.
double HalfByDefinition(int half) {
  const double sign = half & 0x8000 ? -1 : 1;
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 31) return mantissa ? std::nan("") : sign * kInfinity;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, AllValuesDecodeByDefinition) {
  for (int half = 0; half < 0x10000; ++half) {
    const float decoded = HalfToFloat(static_cast<uint16_t>(half));
    const double expected = HalfByDefinition(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(decoded)) << half;
    } else {
      ASSERT_EQ(decoded, expected) << half;
    }
    ASSERT_EQ(std::signbit(decoded), half >= 0x8000) << half;
  }
}

TEST(Half, AllValuesSurviveTheRoundTrip) {
  for (int half = 0; half < 0x10000; ++half) {
    const uint16_t again = FloatToHalf(HalfToFloat(static_cast<uint16_t>(half)));
    if (std::isnan(HalfByDefinition(half))) {
      ASSERT_TRUE(std::isnan(HalfToFloat(again))) << half;
    } else {
      ASSERT_EQ(again, half);
    }
  }
}

// Between any two neighbours: the middle goes to the even one, anything else to the nearer one.
TEST(Half, RoundsToNearestEvenEverywhere) {
  for (uint16_t lower = 0; lower < 0x7bff; ++lower) {
    const uint16_t upper = static_cast<uint16_t>(lower + 1);
    const float middle = (HalfToFloat(lower) + HalfToFloat(upper)) / 2;  // exact: 12 bits
    const uint16_t even = lower % 2 == 0 ? lower : upper;
    ASSERT_EQ(FloatToHalf(middle), even);
    ASSERT_EQ(FloatToHalf(-middle), even | 0x8000);
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), lower);
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, kInfinity)), upper);
  }
}

TEST(Half, TooLargeBecomesInfinity) {
  EXPECT_EQ(FloatToHalf(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
  EXPECT_EQ(FloatToHalf(kInfinity), 0x7c00);
  EXPECT_EQ(FloatToHalf(1e-30f), 0);
}

TEST(BFloat16, AllValuesSurviveTheRoundTrip) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const float value = BFloat16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(value)))) << bits;
    } else {
      ASSERT_EQ(FloatToBFloat16(value), bits);
    }
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(FloatToBFloat16(0x1.01p0f), 0x3f80);  // halfway between 1 and the next, which is odd
  EXPECT_EQ(FloatToBFloat16(0x1.03p0f), 0x3f82);  // halfway, upwards to even
  EXPECT_EQ(FloatToBFloat16(0x1.010002p0f), 0x3f81);
  EXPECT_EQ(FloatToBFloat16(0x1.00fffep0f), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(BFloat16, NanWhoseUpperBitsAreThoseOfInfinityStaysNan) {
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace addend
