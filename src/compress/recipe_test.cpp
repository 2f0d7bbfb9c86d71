#include "compress/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support.h"

namespace addend {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class FingerprintInFileTest : public testing::Test {
 protected:
  Model model_ = LoadModel(test::GoldenPath("tiny_models/llama"));
  const test::TemporaryFolder folder_;
};

TEST_F(FingerprintInFileTest, IsWhatWasSet) {
  EXPECT_FALSE(FingerprintOf(model_));
  SetFingerprint(TextFingerprint({1, 5, 0xffffffff}), model_);
  SaveModel(model_, folder_ / "model.gguf");
  const Model loaded = LoadModel(folder_ / "model.gguf");
  const std::optional<TextFingerprint> fingerprint = FingerprintOf(loaded);
  ASSERT_TRUE(fingerprint);
  EXPECT_EQ(fingerprint->values(), (std::vector<uint32_t>{1, 5, 0xffffffff}));
}

// Files come from strangers: a checksum only tells that nothing was damaged on the way.
TEST_F(FingerprintInFileTest, OneThatCannotBeIsAnError) {
  const auto refused = [&](GgufValue value, const char* problem) {
    model_.metadata.Set(kFingerprintKey, std::move(value));
    EXPECT_THAT([&] { FingerprintOf(model_); },
                ThrowsMessage<Error>(AllOf(HasSubstr(model_.metadata.origin), HasSubstr(kFingerprintKey),
                                           HasSubstr(problem))));
  };
  refused(std::string("5"), "key");
  refused(uint32_t{5}, "key");
  refused(GgufArray(std::vector<uint64_t>{5}), "key");
  refused(GgufArray(std::vector<std::string>{"5"}), "key");
  refused(GgufArray(std::vector<uint32_t>{5, 5}), "ascending");
  refused(GgufArray(std::vector<uint32_t>{5, 4}), "ascending");
  refused(GgufArray(std::vector<uint32_t>(100'000)), "100000 phrases, at most 16384");
}

}  // namespace
}  // namespace addend
