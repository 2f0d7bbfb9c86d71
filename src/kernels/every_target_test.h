// For tests of kernels that run on the current target: runs a test once on each target.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "kernels/target.h"

namespace addend {

class OnEveryTarget : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override { ForceTarget(Name(GetParam())); }
  void TearDown() override { ForceTarget(Name(RunnableTargets().front())); }
};

inline auto AllTargets() {
  return testing::ValuesIn(RunnableTargets().begin(), RunnableTargets().end());
}
inline std::string TargetName(const testing::TestParamInfo<Target>& target) {
  return std::string(Name(target.param));
}

}  // namespace addend
