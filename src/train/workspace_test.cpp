#include "train/workspace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

namespace addend {
namespace {

TEST(Workspace, LendsTheSameMemoryAgain) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const float* first;
  {
    const Borrowed matrix = workspace.Borrow(30, 10);
    first = matrix.data;
    EXPECT_NE(workspace.Borrow(2, 2).data, first);
  }
  EXPECT_EQ(workspace.Borrow(10, 29).data, first);
  EXPECT_EQ(workspace.Borrow(1, 3).rows, 1u);
}

TEST(Workspace, PrefersTheSmallestThatSuffices) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  const float *small, *large;
  {
    const Borrowed a = workspace.Borrow(1, 100), b = workspace.Borrow(1, 1000);
    small = a.data;
    large = b.data;
  }
  const Borrowed a = workspace.Borrow(1, 90), b = workspace.Borrow(1, 90);
  EXPECT_EQ(a.data, small);
  EXPECT_EQ(b.data, large);
}

TEST(Workspace, ChunksCoverAllRowsOnce) {
  ThreadPool pool(3);
  Workspace workspace(pool);
  for (const size_t rows : {0, 1, 4, 5, 9}) {
    std::vector<std::atomic<int>> visits(rows);
    workspace.ForChunks(rows, 4, [&](size_t first, size_t count) {
      for (size_t i = first; i < first + count; ++i) ++visits[i];
    });
    for (const auto& count : visits) EXPECT_EQ(count, 1);
  }
}

TEST(Workspace, SumsDoNotDependOnTheNumberOfThreads) {
  const auto sum = [](size_t threads) {
    ThreadPool pool(threads);
    Workspace workspace(pool);
    std::vector<float> totals = {1, 2};
    workspace.SumChunks(1000, 7, totals, [&](size_t first, size_t count, std::span<float> sums) {
      const Borrowed scratch = workspace.Borrow(3, 3);  // from several threads at once
      for (size_t i = first; i < first + count; ++i) {
        scratch(2, 2) = 1.0f / static_cast<float>(i + 1);
        sums[0] += scratch(2, 2);
        sums[1] += 1;
      }
    });
    return totals;
  };
  const std::vector<float> one = sum(1);
  EXPECT_NEAR(one[0], 1 + 7.485470860550345, 1e-5);  // the harmonic number of 1000
  EXPECT_EQ(one[1], 1002);
  EXPECT_EQ(sum(2), one);
  EXPECT_EQ(sum(5), one);
}

}  // namespace
}  // namespace addend
