#include "evaluate/statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace addend {
namespace {

TEST(RunningMean, MeanAndStandardError) {
  RunningMean mean;
  EXPECT_EQ(mean.mean(), 0);
  mean.Add(2);
  EXPECT_EQ(mean.mean(), 2);
  EXPECT_EQ(mean.standard_error(), 0);
  for (const double value : {4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) mean.Add(value);
  // Squared distances from 5: 9 + 3 * 1 + 0 + 0 + 4 + 16 = 32; sqrt(32 / 7 / 8).
  EXPECT_DOUBLE_EQ(mean.mean(), 5);
  EXPECT_DOUBLE_EQ(mean.standard_error(), std::sqrt(32.0 / 7 / 8));
  EXPECT_EQ(mean.count(), 8u);
}

TEST(RunningMean, DoesNotCancel) {
  RunningMean mean;
  for (const double value : {1e9 + 1, 1e9 + 2, 1e9 + 3}) mean.Add(value);
  EXPECT_DOUBLE_EQ(mean.standard_error(), std::sqrt(1.0 / 3));
}

TEST(WindowedMean, SpreadBetweenWindows) {
  WindowedMean mean(2);
  for (const double value : {1.0, 1.0, 3.0, 3.0, 2.0, 2.0}) mean.Add(value);
  EXPECT_DOUBLE_EQ(mean.mean(), 2);
  EXPECT_DOUBLE_EQ(mean.standard_error(), std::sqrt(4.0 / 5 / 6));
  EXPECT_DOUBLE_EQ(mean.window_standard_error(), std::sqrt(2.0 / 2 / 3));  // of 1, 3, 2
  mean.Add(100);  // an unfinished window does not count as one
  EXPECT_DOUBLE_EQ(mean.window_standard_error(), std::sqrt(2.0 / 2 / 3));
}

// From a table (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
TEST(StudentQuantile95, AgreesWithTheTable) {
  EXPECT_NEAR(StudentQuantile95(1), 12.706, 5e-4);
  EXPECT_NEAR(StudentQuantile95(2), 4.303, 5e-4);
  EXPECT_NEAR(StudentQuantile95(3), 3.182, 4e-3);
  EXPECT_NEAR(StudentQuantile95(4), 2.776, 1e-3);
  EXPECT_NEAR(StudentQuantile95(10), 2.228, 5e-4);
  EXPECT_NEAR(StudentQuantile95(63), 1.998, 5e-4);
  EXPECT_NEAR(StudentQuantile95(1000000), 1.960, 5e-4);
}

TEST(Interval, OfTheMeansOfWindows) {
  WindowedMean mean(2);
  EXPECT_FALSE(mean.interval());
  for (const double value : {1.0, 1.0}) mean.Add(value);
  EXPECT_FALSE(mean.interval());  // nothing is known about the spread
  for (const double value : {3.0, 3.0, 2.0, 2.0}) mean.Add(value);
  const std::optional<Interval> interval = mean.interval();
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(interval->low, 2 - 4.302652730 * std::sqrt(1.0 / 3));
  EXPECT_DOUBLE_EQ(interval->high, 2 + 4.302652730 * std::sqrt(1.0 / 3));
}

TEST(Quantile, InterpolatesBetweenTheNearest) {
  std::vector<float> values = {5, 1, 4, 2};
  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Quantile(values, 1), 5);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.5), 3);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.9), 4.7);  // 2.7 of the way from the first to the last
  std::vector<float> one = {7};
  EXPECT_EQ(Quantile(one, 0.99), 7);
}

}  // namespace
}  // namespace addend
