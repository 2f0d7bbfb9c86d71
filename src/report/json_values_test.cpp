#include "report/json_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace addend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(JsonValues, WhatIsOfAnotherTypeIsAbsent) {
  const Json json = ParseJson(R"({"a": {"b": 1.5, "t": "x"}, "list": [1, 2, "3", 4]})", "test");
  EXPECT_EQ(NumberAt(json, {"a", "b"}), 1.5);
  EXPECT_EQ(NumberAt(json, {"a", "t"}), std::nullopt);
  EXPECT_EQ(NumberAt(json, {"a", "b", "c"}), std::nullopt);
  EXPECT_EQ(NumberAt(json, {"list", "0"}), std::nullopt);
  EXPECT_EQ(TextAt(json, {"a", "t"}), "x");
  EXPECT_EQ(TextAt(json, {"a", "b"}), "");
  EXPECT_THAT(NumbersAt(json, {"list"}), ElementsAre(1, 2));
  EXPECT_THAT(NumbersAt(json, {"a"}), IsEmpty());
}

TEST(JsonValues, FlattenedShowsAllValues) {
  const Json json = ParseJson(
      R"({"n": 3, "none": null, "yes": true, "f": 0.5, "o": {"i": -1, "list": ["a", 2, [3]]}})", "test");
  EXPECT_THAT(Flattened(json), ElementsAre(Pair("n", "3"), Pair("yes", "yes"), Pair("f", "0.5"),
                                           Pair("o.i", "-1"), Pair("o.list", "a, 2, ")));
  EXPECT_THAT(Flattened(Json(5)), IsEmpty());
}

TEST(JsonValues, FlattenedEndsInTheDepth) {
  Json deep = 1;
  for (int i = 0; i < 100; ++i) deep = Json{{"x", deep}};
  EXPECT_THAT(Flattened(deep), IsEmpty());
}

}  // namespace
}  // namespace addend
