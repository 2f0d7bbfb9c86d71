#include "kernels/selftest.h"

#include <gtest/gtest.h>

namespace addend {
namespace {

TEST(Selftest, EveryKernelOnEveryTargetAgreesWithDouble) {
  for (const SelftestResult& result : RunSelftest()) {
    EXPECT_TRUE(result.ok) << result.kernel << " on " << Name(result.target) << ": error "
                           << result.worst_error << ", bound " << result.bound;
  }
}

}  // namespace
}  // namespace addend
