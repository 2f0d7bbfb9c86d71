#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/test_support.h"

namespace addend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(StoredMatrix, KeepsRowsInItsType) {
  Matrix values(3, 32);
  for (size_t i = 0; i < values.size(); ++i) values.values()[i] = static_cast<float>(i) - 40;
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16}) {  // small integers are exact in all of them
    const StoredMatrix stored = StoredMatrix::FromFloats(values, type);
    EXPECT_EQ(stored.type(), type);
    EXPECT_TRUE(std::ranges::equal(stored.ToDense().values(), values.values()));
    std::vector<float> row(32);
    stored.ReadRow(2, row);
    EXPECT_EQ(row[31], 55.0f);
    EXPECT_EQ(stored.RowBytes(1).data(), stored.bytes().data() + BytesOf(type, 32));
  }
}

TEST(StoredMatrix, RefusesBytesThatDoNotFit) {
  const std::vector<std::byte> bytes(34);
  EXPECT_NO_THROW(StoredMatrix(DType::kQ8_0, 1, 32, std::span(bytes)));
  EXPECT_THAT([&] { StoredMatrix(DType::kQ8_0, 1, 31, std::span(bytes)); },
              ThrowsMessage<Error>(HasSubstr("must be a multiple of 32")));
  EXPECT_THAT([&] { StoredMatrix(DType::kQ8_0, 2, 32, bytes); },
              ThrowsMessage<Error>(HasSubstr("has 34 bytes, needs 68")));
}

TEST(CountBits, FollowsTheFormula) {
  const SizeReport dense = CountBits(LoadModel(test::TinyModel("llama")));
  const size_t block = 64 * 64 * 2 + 32 * 64 * 2 + 176 * 64 * 3;
  EXPECT_EQ(dense.linear_weights, 3 * block);
  EXPECT_EQ(dense.linear_bits, 32.0 * 3 * block);
  EXPECT_EQ(dense.total_weights, 3 * block + 2 * 320 * 64 + 7 * 64);
  EXPECT_EQ(dense.total_bits, 32.0 * static_cast<double>(dense.total_weights));

  Model model = LoadModel(test::TinyModel("llama"));
  Rng random(1);
  model.blocks[0][LinearKind::kUp].weight = test::RandomFactors(176, 64, 21, random);
  const SizeReport factored = CountBits(model);
  EXPECT_EQ(factored.linear_weights, dense.linear_weights);
  EXPECT_DOUBLE_EQ(dense.linear_bits - factored.linear_bits, (32 - BitsPerWeight(176, 64, 21)) * 176 * 64);
  EXPECT_EQ(dense.total_bits - factored.total_bits,
            32.0 * 176 * 64 - 8.0 * (176 * 3 + 21 * 8) - 16.0 * (176 + 64 + 21));
}

}  // namespace
}  // namespace addend
