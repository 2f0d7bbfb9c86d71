#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "report/axis.h"
#include "report/bar_chart.h"
#include "report/heat_map.h"
#include "report/table.h"
#include "report/text_chart.h"
#include "report/xy_chart.h"

namespace addend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

size_t Count(const Markup& markup, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = markup.text().find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

std::vector<std::string> Labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST(Axis, PixelsFollowTheValues) {
  const Axis even({10, 20}, false, {0, 100});
  EXPECT_EQ(even.Pixel(10), 0);
  EXPECT_EQ(even.Pixel(15), 50);
  const Axis upwards({1, 100}, true, {200, 0});
  EXPECT_DOUBLE_EQ(upwards.Pixel(10), 100);
  EXPECT_DOUBLE_EQ(upwards.Pixel(100), 0);
}

TEST(Axis, TicksAreRoundNumbers) {
  EXPECT_THAT(Labels(Axis({0, 1}, false, {0, 1}).Ticks(6)),
              ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1"));
  EXPECT_THAT(Labels(Axis({-0.13, 0.31}, false, {0, 1}).Ticks(5)),
              ElementsAre("-0.1", "0", "0.1", "0.2", "0.3"));
  EXPECT_THAT(Labels(Axis({0.9, 30}, true, {0, 1}).Ticks(7)), ElementsAre("1", "2", "5", "10", "20"));
  EXPECT_THAT(Labels(Axis({1e-4, 1e4}, true, {0, 1}).Ticks(9)),
              ElementsAre("0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000", "10000"));
  EXPECT_THAT(Labels(Axis({31, 38}, true, {0, 1}).Ticks(5)), ElementsAre("32", "34", "36", "38"))
      << "too narrow for 1, 2, 5";
}

TEST(Axis, OneValueIsWidened) {
  for (const bool logarithmic : {false, true}) {
    const Axis axis({3, 3}, logarithmic, {0, 100});
    EXPECT_NEAR(axis.Pixel(3), 50, 1e-9);
    EXPECT_FALSE(axis.Ticks(5).empty());
  }
  EXPECT_EQ(Axis({0, 0}, false, {0, 100}).Pixel(0), 50);
}

TEST(NumberText, KeepsWhatStandsBeforeThePoint) {
  EXPECT_EQ(NumberText(0.123456), "0.123");
  EXPECT_EQ(NumberText(-0.0), "0");
  EXPECT_EQ(NumberText(12345), "12345");
  EXPECT_EQ(NumberText(1e-7), "1e-07");
  EXPECT_EQ(NumberText(1e12), "1e+12");
}

XyChart TwoSeries() {
  return {.description = "what it is",
          .x = {"size"},
          .y = {"error", true},
          .series = {
              {.name = "<one>", .points = {{1, 0.1, "a & b", "A"}, {2, 0.01, "second", ""}}},
              {.name = "two", .style = SeriesStyle::kCurve, .points = {{1, 0.5, "", ""}, {3, 0.2, "", ""}}},
              {.name = "bound", .style = SeriesStyle::kGuide, .points = {{0, 9, "", ""}, {2, 0.1, "", ""}}}}};
}

TEST(XyChart, DrawsEverySeriesOnce) {
  const Markup markup = Draw(TwoSeries());
  EXPECT_EQ(Count(markup, "class=\"mark s0\" transform"), 2u);
  EXPECT_EQ(Count(markup, "class=\"mark s1\" transform"), 2u);
  EXPECT_EQ(Count(markup, "class=\"line s1\""), 1u);
  EXPECT_EQ(Count(markup, "class=\"line guide\""), 1u);
  EXPECT_EQ(Count(markup, "<li>"), 3u);
  EXPECT_THAT(markup.text(), HasSubstr("<title>a &amp; b</title>"));
  EXPECT_THAT(markup.text(), HasSubstr("&lt;one&gt;</li>"));
  EXPECT_THAT(markup.text(), HasSubstr("aria-label=\"what it is\""));
}

TEST(XyChart, LeavesOutWhatCannotBeShown) {
  XyChart chart = TwoSeries();
  chart.series[0].points = {{1, 0, "", ""}, {NAN, 1, "", ""}, {1, INFINITY, "", ""}, {1, -3, "", ""}};
  const Markup markup = Draw(chart);
  EXPECT_EQ(Count(markup, "class=\"mark s0\" transform"), 2u)
      << "the second series is the first that remains";
  EXPECT_THAT(markup.text(), Not(HasSubstr("nan")));
  EXPECT_THAT(markup.text(), Not(HasSubstr("inf")));
  chart.series.erase(chart.series.begin() + 1);
  EXPECT_TRUE(Draw(chart).empty()) << "nothing but a guide";
}

TEST(XyChart, OnePointIsEnough) {
  XyChart chart = TwoSeries();
  chart.series = {{.name = "one", .points = {{5, 5, "", ""}}}};
  EXPECT_EQ(Count(Draw(chart), "class=\"mark s0\" transform"), 1u);
}

TEST(TextChart, PointsStandAtTheirPlaces) {
  const XyChart chart = {
      .x = {"size"},
      .y = {"error"},
      .series = {{.name = "s", .points = {{0, 10, "", "A"}, {10, 0, "", "B2"}, {10, 0, "", "C"}}},
                 {.name = "g", .style = SeriesStyle::kGuide, .points = {{5, 5, "", "X"}}}}};
  const std::string text = DrawAsText(chart);
  EXPECT_THAT(text, HasSubstr("  error\n"));
  EXPECT_THAT(text, HasSubstr("      10 +A\n"));
  EXPECT_THAT(text, HasSubstr("       0 +" + std::string(53, ' ') + "BC\n"));
  EXPECT_THAT(text, HasSubstr("          size\n"));
  EXPECT_THAT(text, Not(HasSubstr("X")));
  EXPECT_EQ(DrawAsText({}), "");
}

TEST(HeatMap, ACellForEachValue) {
  HeatMap map = {.description = "d",
                 .value_name = "error",
                 .column_name = "block",
                 .rows = {"q", "k"},
                 .columns = {"0", "1", "2"},
                 .values = {1, 2, 3, std::nullopt, 5, NAN}};
  const Markup markup = Draw(map);
  EXPECT_EQ(Count(markup, "<title>"), 4u);
  EXPECT_THAT(markup.text(), HasSubstr("fill-opacity=\"1.000\"><title>block 1, k: error 5</title>"));
  EXPECT_THAT(markup.text(), HasSubstr("fill-opacity=\"0.080\"><title>block 0, q: error 1</title>"));
  map.values.assign(6, std::nullopt);
  EXPECT_TRUE(Draw(map).empty());
}

TEST(BarChart, LengthsAreOfTheLongestAndSharesOfTheSum) {
  const Markup markup = Draw(BarChart{.caption = "c",
                                      .name_heading = "n",
                                      .amount_heading = "a",
                                      .bars = {{"x", 30, "30 B"}, {"y", 10, "10 B"}}});
  EXPECT_THAT(markup.text(), HasSubstr("width=\"100.00%\""));
  EXPECT_THAT(markup.text(), HasSubstr("width=\"33.33%\""));
  EXPECT_THAT(markup.text(), HasSubstr("75.0 %"));
  EXPECT_TRUE(Draw(BarChart{.caption = "c", .bars = {{"x", 0, "0"}}}).empty());
}

TEST(Table, CellsAreEscaped) {
  const Markup markup =
      Draw(Table{.caption = "<c>", .columns = {{"<h>", false}, {"n"}}, .rows = {{"<r>", "<v>"}}});
  EXPECT_THAT(markup.text(),
              HasSubstr("<th scope=\"row\">&lt;r&gt;</th><td class=\"number\">&lt;v&gt;</td>"));
  EXPECT_THAT(markup.text(), Not(HasSubstr("<h>")));
  EXPECT_THAT(markup.text(), Not(HasSubstr("<c>")));
}

}  // namespace
}  // namespace addend
