#include "model/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/half.h"

namespace addend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

ModelConfig Config() {
  ModelConfig config;
  config.blocks = 2;
  config.kv_heads = 2;
  config.head_dim = 3;
  return config;
}

template <typename T>
std::vector<T> Row(const T* rows, size_t stride, size_t position) {
  return {rows + position * stride, rows + (position + 1) * stride};
}

TEST(KvCache, KeepsEachHeadOfEachBlockApart) {
  KvCache cache(Config(), 4, DType::kF32);
  for (float block : {0.0f, 1.0f}) {
    for (float position : {0.0f, 1.0f}) {
      const float x = 100 * block + 10 * position;
      const std::vector<float> keys = {x + 1, x + 2, x + 3, x + 4, x + 5, x + 6};
      const std::vector<float> values = {-x - 1, -x - 2, -x - 3, -x - 4, -x - 5, -x - 6};
      cache.Store(static_cast<size_t>(block), static_cast<size_t>(position), keys, values);
    }
  }
  const KvHead<float> head = cache.Head<float>(1, 1);
  EXPECT_THAT(Row(head.keys, head.stride, 0), ElementsAre(104, 105, 106));
  EXPECT_THAT(Row(head.keys, head.stride, 1), ElementsAre(114, 115, 116));
  EXPECT_THAT(Row(head.values, head.stride, 1), ElementsAre(-114, -115, -116));
  EXPECT_THAT(Row(cache.Head<float>(0, 0).values, head.stride, 1), ElementsAre(-11, -12, -13));
}

TEST(KvCache, HalfPrecisionRounds) {
  KvCache cache(Config(), 1);
  EXPECT_EQ(cache.type(), DType::kF16);
  EXPECT_EQ(cache.bytes(), 2u * 2 * 2 * 1 * 3 * 2);
  const std::vector<float> row = {0.1f, 1, 2, 3, 4, 5};
  cache.Store(0, 0, row, row);
  EXPECT_EQ(cache.Head<uint16_t>(0, 0).keys[0], FloatToHalf(0.1f));
  EXPECT_EQ(cache.Head<uint16_t>(0, 1).values[2], FloatToHalf(5));
}

TEST(KvCache, BlocksOfEightBits) {
  ModelConfig config = Config();
  config.head_dim = 64;
  KvCache cache(config, 3, DType::kQ8_0);
  EXPECT_EQ(cache.bytes(), 2u * 2 * 2 * 3 * 2 * 34);
  std::vector<float> row(128);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i) - 64;
  cache.Store(1, 2, row, row);
  const KvHead<ggml::BlockQ8_0> head = cache.Head<ggml::BlockQ8_0>(1, 1);
  EXPECT_EQ(head.stride, 2u);
  const ggml::BlockQ8_0& last = head.keys[2 * head.stride + 1];
  EXPECT_EQ(last.q[31], 127);
  EXPECT_NEAR(HalfToFloat(last.d) * 127, 63, 0.05);
}

TEST(KvCache, RefusesTypesThatCannotBe) {
  EXPECT_THAT([] { KvCache(Config(), 4, DType::kQ4_0); },
              ThrowsMessage<Error>(HasSubstr("q4_0 is not supported")));
  EXPECT_THAT([] { KvCache(Config(), 4, DType::kQ8_0); },
              ThrowsMessage<Error>(HasSubstr("heads of 3 cannot be stored as q8_0, which has blocks of 32")));
}

TEST(KvCache, FillsUpAndIsCutBack) {
  KvCache cache(Config(), 4);
  cache.CheckRoom(4);
  cache.Advance(3);
  EXPECT_EQ(cache.length(), 3u);
  EXPECT_THAT([&] { cache.CheckRoom(2); },
              ThrowsMessage<Error>(HasSubstr("holds 3 of 4 tokens, 2 more do not fit")));
  EXPECT_THAT([&] { cache.Advance(2); }, ThrowsMessage<Error>(HasSubstr("context is full")));
  EXPECT_THAT([&] { cache.Truncate(4); },
              ThrowsMessage<Error>(HasSubstr("cannot cut to 4 tokens, it holds 3")));
  cache.Truncate(1);
  EXPECT_EQ(cache.length(), 1u);
  cache.CheckRoom(3);
}

TEST(KvCache, CopiesPrefixes) {
  KvCache from(Config(), 3, DType::kF32), to(Config(), 5, DType::kF32);
  for (size_t position = 0; position < 3; ++position) {
    const auto x = static_cast<float>(10 * position);
    const std::vector<float> row = {x + 1, x + 2, x + 3, x + 4, x + 5, x + 6};
    for (size_t block : {0, 1}) from.Store(block, position, row, row);
    from.Advance(1);
  }
  to.Advance(4);
  to.CopyPrefix(from, 2);
  EXPECT_EQ(to.length(), 2u);
  EXPECT_THAT(Row(to.Head<float>(1, 1).keys, 3, 1), ElementsAre(14, 15, 16));
  EXPECT_THAT(Row(to.Head<float>(0, 0).values, 3, 0), ElementsAre(1, 2, 3));

  KvCache small(Config(), 1, DType::kF32), half(Config(), 5);
  EXPECT_THAT([&] { to.CopyPrefix(from, 4); }, ThrowsMessage<Error>(HasSubstr("a cache that holds 3")));
  EXPECT_THAT([&] { small.CopyPrefix(from, 2); }, ThrowsMessage<Error>(HasSubstr("into one for 1")));
  EXPECT_THAT([&] { half.CopyPrefix(from, 2); }, ThrowsMessage<Error>(HasSubstr("of another kind")));
}

TEST(KvCache, RefusesWhatCannotBe) {
  EXPECT_THAT([] { KvCache(Config(), 4, DType::kQ8_0); }, ThrowsMessage<Error>(HasSubstr("q8_0")));
  EXPECT_THAT([] { KvCache(Config(), 0); }, ThrowsMessage<Error>(HasSubstr("0 tokens")));
  EXPECT_THAT([] { KvCache(Config(), ~size_t{0}); }, ThrowsMessage<Error>(HasSubstr("can be had")));
}

}  // namespace
}  // namespace addend
