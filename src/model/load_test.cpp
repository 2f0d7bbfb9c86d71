#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model.h"
#include "support.h"

namespace addend {
namespace {

TEST(LoadModel, ReadsEveryTinyModel) {
  for (const char* name : {"llama", "llama3-rope", "mistral", "qwen2", "qwen3", "gemma2", "gemma3"}) {
    SCOPED_TRACE(name);
    const Model model = LoadModel(test::GoldenPath("tiny_models") / name);
    EXPECT_EQ(model.config.blocks, 3u);
    CheckFinite(model);
  }
}

TEST(LoadModel, ReadsSmolLm2) {
  const auto path = test::SmolLm2();
  ADDEND_SKIP_WITHOUT(path, "SmolLM2");
  const Model model = LoadModel(*path);
  CheckFinite(model);
  EXPECT_EQ(CountBits(model).linear_weights, 106168320u);
}

}  // namespace
}  // namespace addend
