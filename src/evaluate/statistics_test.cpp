#include "evaluate/statistics.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace addend
