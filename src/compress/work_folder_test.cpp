#include "compress/work_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "compress/stored_results.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::HasSubstr;

class WorkFolderTest : public ::testing::Test {
 protected:
  const test::TemporaryFolder folder_;
  const Path path_ = folder_ / "work";
  const Json settings_ = {{"bits", 1.0}, {"seed", 1}};
};

template <typename Work>
std::string ErrorText(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Checkpoint Example() {
  Checkpoint checkpoint;
  checkpoint.facts = {{"error", 0.1},
                      {"name", "blk.0"}};  // 0.1 has no exact binary form: it must come back as it was
  checkpoint.floats["x"] = {1.5f, -0.0f, 1e-40f};
  checkpoint.bytes["A"] = {std::byte{1}, std::byte{255}};
  return checkpoint;
}

TEST_F(WorkFolderTest, KeepsResults) {
  {
    const WorkFolder work(path_, settings_);
    EXPECT_FALSE(work.resumed());
    EXPECT_FALSE(work.Has("a"));
    work.Save("a", Example());
  }
  WorkFolder work(path_, settings_);
  EXPECT_TRUE(work.resumed());
  ASSERT_TRUE(work.Has("a"));
  const Checkpoint loaded = work.Load("a");
  EXPECT_EQ(loaded.facts, Example().facts);
  EXPECT_EQ(loaded.floats, Example().floats);
  EXPECT_EQ(loaded.bytes, Example().bytes);
  work.Delete();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(WorkFolderTest, RefusesOtherSettings) {
  { const WorkFolder work(path_, settings_); }
  const std::string text = ErrorText([&] { WorkFolder(path_, {{"bits", 1.5}, {"seed", 1}}); });
  EXPECT_THAT(text, HasSubstr("belongs to a job with bits = 1.0, not 1.5"));
  EXPECT_THAT(ErrorText([&] { WorkFolder(path_, {{"bits", 1.0}}); }), HasSubstr("another version"));
}

TEST_F(WorkFolderTest, HasOneUserAtATime) {
  const WorkFolder work(path_, settings_);
  EXPECT_THAT(ErrorText([&] { WorkFolder(path_, settings_); }), HasSubstr("another addend is at work"));
}

TEST_F(WorkFolderTest, NoticesDamage) {
  const WorkFolder work(path_, settings_);
  work.Save("a", Example());
  const std::string whole = ReadTextFile(path_ / "a");
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 1;
    WriteFileAtomically(path_ / "a", damaged);
    bool same = false;  // padding bytes carry nothing
    try {
      const Checkpoint loaded = work.Load("a");
      same = loaded.facts == Example().facts && loaded.floats == Example().floats &&
             loaded.bytes == Example().bytes;
    } catch (const Error&) {
      same = true;
    }
    EXPECT_TRUE(same) << "byte " << i;
  }
}

TEST(StoredResults, ComeBackAsTheyWere) {
  FactorizedLinear linear;
  linear.weight = {.A = SignMatrix(3, 5),
                   .B = SignMatrix(5, 9),
                   .a = {1, 2, 3},
                   .mid = {1, 2, 3, 4, 5},
                   .b = {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  linear.weight.A.Set(2, 4, true);
  linear.weight.B.Set(1, 8, true);
  linear.report = {.name = "blk.0.attn_q",
                   .outputs = 3,
                   .inputs = 9,
                   .rank = 5,
                   .bits = 7.5,
                   .weighted_error = 0.25,
                   .output_error = 0.125,
                   .seconds = 3};
  const FactorizedLinear loaded = LinearFrom(ToCheckpoint(linear));
  EXPECT_EQ(loaded.weight.A, linear.weight.A);
  EXPECT_EQ(loaded.weight.B, linear.weight.B);
  EXPECT_EQ(loaded.weight.mid, linear.weight.mid);
  EXPECT_EQ(loaded.report.ToJson(), linear.report.ToJson());

  const DistillState state{.step = 7,
                           .total_steps = 9,
                           .seconds = 1.25,
                           .gains = {1, 2},
                           .first_moments = {3, 4},
                           .second_moments = {5, 6},
                           .best_gains = {7, 8},
                           .latents = {{.latents = {1, -2, 3, -4, 5, -32767},
                                        .row_squares = {0.5f, 0.25f},
                                        .col_squares = {1, 2, 3},
                                        .steps = 7}},
                           .best_signs = {SignMatrix(2, 3)},
                           .curve = {{0, 0, 3.5}, {4, 2, 1.75}}};
  const DistillState again = DistillStateFrom(ToCheckpoint(state));
  EXPECT_EQ(again.step, 7u);
  EXPECT_EQ(again.total_steps, 9u);
  EXPECT_EQ(again.gains, state.gains);
  EXPECT_EQ(again.second_moments, state.second_moments);
  EXPECT_EQ(again.best_gains, state.best_gains);
  EXPECT_EQ(again.latents, state.latents);
  EXPECT_EQ(again.best_signs, state.best_signs);
  ASSERT_EQ(again.curve.size(), 2u);
  EXPECT_EQ(again.curve[1].held_out, 1.75);

  CalibrationText text{.length = 2,
                       .training = {{1, 2}, {3, 4}},
                       .held_out = {{5, 6}},
                       .sources = {"a"},
                       .hash = ~uint64_t{0}};
  const CalibrationText same = TextFrom(ToCheckpoint(text));
  EXPECT_EQ(same.training, text.training);
  EXPECT_EQ(same.held_out, text.held_out);
  EXPECT_EQ(same.hash, text.hash);
}

TEST(StoredResults, RefuseWhatIsIncomplete) {
  Checkpoint checkpoint = ToCheckpoint(
      DistillState{.gains = {1}, .first_moments = {1}, .second_moments = {1}, .best_gains = {1}});
  checkpoint.floats.erase("gains");
  EXPECT_THAT(ErrorText([&] { DistillStateFrom(checkpoint); }), HasSubstr("'gains' is missing"));
}

}  // namespace
}  // namespace addend
