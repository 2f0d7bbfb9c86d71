#include "compress/work_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "compress/stored_results.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
    EXPECT_FALSE(work.Has("a"));
    work.Save("a", Example());
  }
  WorkFolder work(path_, settings_);
  EXPECT_THAT(work.damaged(), IsEmpty());
  ASSERT_TRUE(work.Has("a"));
  const Checkpoint loaded = work.Load("a");
  EXPECT_EQ(loaded.facts, Example().facts);
  EXPECT_EQ(loaded.floats, Example().floats);
  EXPECT_EQ(loaded.bytes, Example().bytes);
  work.Delete();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(WorkFolderTest, NothingFinishedLeavesNothing) {
  { const WorkFolder work(path_, settings_); }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(WorkFolderTest, NothingFinishedIsAnybodys) {
  std::filesystem::create_directory(path_);  // as a killed process leaves it
  WriteFileAtomically(path_ / "lock.addend-work", "");
  WriteFileAtomically(path_ / "settings.addend-work", "{\"bits\": 2.0}");
  {
    const WorkFolder work(path_, settings_);
    work.Save("a", Example());
  }
  EXPECT_TRUE(WorkFolder(path_, settings_).Has("a"));
}

TEST_F(WorkFolderTest, DeletesWhatItWroteAndNothingElse) {
  WorkFolder work(path_, settings_);
  const AtomicFile unfinished(path_ / "b.part.addend-work");
  work.Save("a", Example());
  WriteFileAtomically(work.Scratch("c"), "x");
  const Path foreign = path_ / "notes.txt";  // put there in the meantime
  WriteFileAtomically(foreign, "x");
  work.Delete();
  std::vector<Path> left;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) left.push_back(entry.path());
  EXPECT_THAT(left, ElementsAre(foreign));
}

TEST_F(WorkFolderTest, RefusesAFolderWithAnythingElse) {
  std::filesystem::create_directory(path_);
  const auto expect_refused = [&](const std::string& reason) {
    EXPECT_THAT(ErrorText([&] { WorkFolder(path_, settings_); }), HasSubstr(reason));
  };
  WriteFileAtomically(path_ / "settings.json", "{}");
  expect_refused("it holds 'settings.json'");
  std::filesystem::remove(path_ / "settings.json");
  std::filesystem::create_directory(path_ / "a.part.addend-work");
  expect_refused("it holds 'a.part.addend-work'");
  std::filesystem::remove(path_ / "a.part.addend-work");
  EXPECT_TRUE(std::filesystem::is_empty(path_));
  std::filesystem::remove(path_);
  WriteFileAtomically(path_, "x");
  expect_refused("work: cannot be the work folder: Not a directory");
}

TEST_F(WorkFolderTest, ALinkToAFolderStays) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_directory_symlink(folder_ / "real", path_);
  { const WorkFolder work(path_, settings_); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "real"));
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
}

class WorkFolderOfAnotherJob : public WorkFolderTest {
 protected:
  std::string Refusal(const Json& found, const Json& needed) const {
    std::filesystem::remove_all(path_);
    WorkFolder(path_, found).Save("a", Example());
    return ErrorText([&] { WorkFolder(path_, needed); });
  }
};

TEST_F(WorkFolderOfAnotherJob, IsRefusedInTheWordsOfTheCommandLine) {
  EXPECT_EQ(Refusal({{"bits", 1.0}}, {{"bits", 1.5}}),
            path_.string() +
                ": holds the unfinished work of a job with --bits 1.0, not with --bits 1.5; give another "
                "--work-folder, or delete the folder " +
                path_.string() + " to begin anew");
  EXPECT_THAT(Refusal({{"calibration_length", 32}}, {{"calibration_length", 64}}),
              HasSubstr("with --calibration-length 32, not with --calibration-length 64"));
  EXPECT_THAT(Refusal({{"effort", "fast"}}, {{"effort", "best"}}),
              HasSubstr("with --effort fast, not with --effort best"));
  EXPECT_THAT(Refusal({{"seconds", nullptr}}, {{"seconds", 60.0}}),
              HasSubstr("without --time, not with --time 60.0"));
  EXPECT_THAT(Refusal({{"calibration", "1f"}}, {{"calibration", nullptr}}),
              HasSubstr("with another --calibration text;"));
  EXPECT_THAT(Refusal({{"model", "1f"}}, {{"model", "2f"}}), HasSubstr("with another model;"));
  EXPECT_THAT(Refusal({{"bits", 1.0}, {"seed", 1}}, {{"bits", 1.0}}), HasSubstr("another version of addend"));
}

TEST_F(WorkFolderTest, SettingsThatAreDamagedAreAnError) {
  WorkFolder(path_, settings_).Save("a", Example());
  for (const char* text : {"[]", "null", "3", "\"x\"", "{", ""}) {
    WriteFileAtomically(path_ / "settings.addend-work", text);
    EXPECT_THAT(ErrorText([&] { WorkFolder(path_, settings_); }),
                AllOf(HasSubstr("settings.addend-work: "), HasSubstr("delete the folder " + path_.string())))
        << text;
  }
}

TEST_F(WorkFolderTest, HasOneUserAtATime) {
  const WorkFolder work(path_, settings_);
  EXPECT_THAT(ErrorText([&] { WorkFolder(path_, settings_); }), HasSubstr("another addend is at work"));
}

TEST_F(WorkFolderTest, DropsWhatIsDamaged) {
  {
    const WorkFolder work(path_, settings_);
    for (const char* name : {"cut", "flipped", "whole"}) work.Save(name, Example());
  }
  const Path cut = path_ / "cut.part.addend-work", flipped = path_ / "flipped.part.addend-work";
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 2);
  std::string content = ReadTextFile(flipped);
  content[content.find("blk.0")] ^= 1;
  WriteFileAtomically(flipped, content);
  const WorkFolder work(path_, settings_);
  EXPECT_THAT(work.damaged(), ElementsAre("cut", "flipped"));
  EXPECT_FALSE(work.Has("cut"));
  EXPECT_FALSE(work.Has("flipped"));
  EXPECT_TRUE(work.Has("whole"));
}

TEST_F(WorkFolderTest, NoticesDamage) {
  const WorkFolder work(path_, settings_);
  work.Save("a", Example());
  const Path file = path_ / "a.part.addend-work";
  const std::string whole = ReadTextFile(file);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 1;
    WriteFileAtomically(file, damaged);
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
                       .test = {{7, 8}},
                       .sources = {"a"},
                       .hash = ~uint64_t{0}};
  const CalibrationText same = TextFrom(ToCheckpoint(text));
  EXPECT_EQ(same.training, text.training);
  EXPECT_EQ(same.held_out, text.held_out);
  EXPECT_EQ(same.test, text.test);
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
