#include "kernels/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Target, ScalarIsTheLastResort) {
  EXPECT_EQ(RunnableTargets().back(), Target::kScalar);
  EXPECT_EQ(CurrentTarget(), RunnableTargets().front());
}

TEST(Target, ListsNamesBestFirst) {
  EXPECT_TRUE(RunnableTargetNames().starts_with(Name(RunnableTargets().front())));
  EXPECT_TRUE(RunnableTargetNames().ends_with("scalar"));
}

TEST(Target, SaysThatScalarIsSlow) {
  EXPECT_THAT(std::string(Remark(Target::kScalar)), HasSubstr("slow"));
}

TEST(Target, CanBeForcedByName) {
  const Target before = CurrentTarget();
  for (const Target target : RunnableTargets()) {
    ForceTarget(Name(target));
    EXPECT_EQ(CurrentTarget(), target);
  }
  ForceTarget(Name(before));
}

TEST(Target, RefusesUnknownNamesAndSaysWhatRuns) {
  try {
    ForceTarget("mmx");
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("mmx"), HasSubstr("scalar")));
  }
}

}  // namespace
}  // namespace addend
