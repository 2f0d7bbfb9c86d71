#include "cli/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace addend {
namespace {

const std::vector<std::string> kNames = {"compress", "run", "eval", "export"};

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(Nearest("comprss", kNames), "compress");    // a letter left out
  EXPECT_EQ(Nearest("compresss", kNames), "compress");  // one too many
  EXPECT_EQ(Nearest("exprot", kNames), "export");       // two swapped
  EXPECT_EQ(Nearest("rum", kNames), "run");             // another one
  EXPECT_EQ(Nearest("run", kNames), "run");
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(Nearest("chat", kNames), std::nullopt);
  EXPECT_EQ(Nearest("", kNames), std::nullopt);
  EXPECT_EQ(Nearest(std::string(1000, 'r'), kNames), std::nullopt);
  EXPECT_EQ(Nearest("run", {}), std::nullopt);
}

}  // namespace
}  // namespace addend
