#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <numeric>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/threads.h"
#include "support.h"

namespace addend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class FileTest : public ::testing::Test {
 protected:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  const test::TemporaryFolder folder_;
  const Path path_ = folder_.path();
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

TEST(Error, ContextStandsInFront) {
  EXPECT_EQ(ErrorText([] { WithContext("block 3", [] { throw Error("rank ", 7, " of ", 2.5); }); }),
            "block 3: rank 7 of 2.5");
  EXPECT_EQ(WithContext("unused", [] { return 5; }), 5);
}

TEST(Error, ContextKeepsAnInterruptAnInterrupt) {
  EXPECT_THROW(WithContext("block 3", [] { throw Interrupted("stopped"); }), Interrupted);
}

TEST_F(FileTest, CommitReplacesTheOldContent) {
  WriteFileAtomically(path_ / "a", "old");
  WriteFileAtomically(path_ / "a", "new and longer");
  EXPECT_EQ(ReadTextFile(path_ / "a"), "new and longer");
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, WithoutCommitNothingIsLeft) {
  WriteFileAtomically(path_ / "a", "old");
  {
    AtomicFile file(path_ / "a");
    file.Write("half of the n");
  }
  EXPECT_EQ(ReadTextFile(path_ / "a"), "old");
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, ErrorsNameTheFileAndTheReason) {
  EXPECT_THAT(ErrorText([&] { MappedFile(path_ / "missing"); }),
              HasSubstr("missing: cannot open: No such file"));
  EXPECT_THAT(ErrorText([&] { MappedFile file(path_); }), HasSubstr("not a regular file"));
  EXPECT_THAT(ErrorText([&] { AtomicFile file(path_); }), HasSubstr("not a regular file"));
  EXPECT_THAT(ErrorText([&] { AtomicFile file("/dev/null"); }), HasSubstr("not a regular file"));
  EXPECT_THAT(ErrorText([&] { AtomicFile file(path_ / "no" / "folder"); }),
              HasSubstr("cannot write: No such file"));
}

TEST_F(FileTest, AFullDiskIsAnError) {
  // /dev/full cannot be renamed over, so the write path is reached through a link with the temporary's name.
  const Path temporary = path_ / ("a.partial-" + std::to_string(getpid()));
  std::filesystem::create_symlink("/dev/full", temporary);
  AtomicFile file(path_ / "a");
  EXPECT_THAT(ErrorText([&] { file.Write("x"); }), HasSubstr("a: cannot write: No space left on device"));
}

// The id of a process that is no more.
pid_t EndedProcess() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

TEST_F(FileTest, WhatKilledProcessesLeftIsRemoved) {
  const std::string ended = ".partial-" + std::to_string(EndedProcess());
  const std::string alive = ".partial-" + std::to_string(getppid());
  for (const std::string& name : {ended, alive, ended + "x"})
    WriteFileAtomically(path_ / ("a" + name), "half");
  WriteFileAtomically(path_ / ("b" + ended), "half");
  WriteFileAtomically(path_ / "a", "whole");
  EXPECT_THAT(Names(), UnorderedElementsAre("a", "a" + alive, "a" + ended + "x", "b" + ended));
}

TEST_F(FileTest, TextComesFromPipesAndDevicesToo) {
  const Path pipe = path_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string text(200'000, 'x');  // more than a pipe holds
  std::thread writer([&] {
    std::FILE* const file = std::fopen(pipe.c_str(), "w");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  });
  EXPECT_EQ(ReadTextFile(pipe), text);
  writer.join();
  EXPECT_EQ(ReadTextFile("/dev/null"), "");
  EXPECT_THAT(ErrorText([&] { ReadTextFile(path_); }), HasSubstr("cannot read: Is a directory"));
  EXPECT_THAT(ErrorText([&] { ReadTextFile(path_ / "none"); }), HasSubstr("none: cannot open: No such file"));
}

TEST_F(FileTest, PlainTextHasOneKindOfLineEnd) {
  WriteFileAtomically(path_ / "a", "one\r\ntwo\rthree\n\r\n\r");
  EXPECT_EQ(ReadPlainText(path_ / "a"), "one\ntwo\nthree\n\n\n");
  EXPECT_EQ(ReadTextFile(path_ / "a"), "one\r\ntwo\rthree\n\r\n\r");
}

TEST_F(FileTest, EmptyFilesMapToEmptySpans) {
  WriteFileAtomically(path_ / "a", "");
  EXPECT_THAT(MappedFile(path_ / "a").bytes(), IsEmpty());
}

TEST(Rng, FollowsTheReferenceAlgorithm) {
  // Golden: xoshiro256** seeded by splitmix64(0), computed from the authors' published C code
  // (prng.di.unimi.it).
  Rng rng(0);
  EXPECT_EQ(rng.Next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(rng.Next(), 0xbf6e1f784956452au);
}

TEST(Rng, StreamsAreIndependentAndRepeatable) {
  EXPECT_EQ(Rng(1, "a").Next(), Rng(1, "a").Next());
  EXPECT_NE(Rng(1, "a").Next(), Rng(1, "b").Next());
  EXPECT_NE(Rng(1, "a").Next(), Rng(2, "a").Next());
}

TEST(Rng, NormalsHaveTheRightMoments) {
  Rng rng(20240611);
  constexpr int kCount = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = rng.Normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));  // five standard errors
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
}

TEST(Rng, BelowReachesEveryValue) {
  Rng rng(3);
  std::vector<int> seen(7);
  for (int i = 0; i < 1000; ++i) ++seen.at(rng.Below(7));
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int count) { return count > 80; }));
}

TEST(ThreadPool, RunsEachIndexOnce) {
  for (const size_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const size_t count : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      pool.For(count, [&](size_t i) { ++calls[i]; });
      EXPECT_TRUE(std::all_of(calls.begin(), calls.end(), [](const auto& c) { return c == 1; }))
          << threads << " " << count;
    }
  }
}

TEST(ThreadPool, ManyShortLoopsInARow) {
  ThreadPool pool(3);
  std::atomic<size_t> sum{0};
  for (int loop = 0; loop < 20000; ++loop) pool.For(3, [&](size_t i) { sum += i; });
  EXPECT_EQ(sum, 20000u * 3);
}

TEST(ThreadPool, WakesAfterSleeping) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    pool.For(2, [&](size_t) { ++calls; });
  }
  EXPECT_EQ(calls, 6);
}

TEST(ThreadPool, NestedLoopsRunInPlace) {
  ThreadPool pool(2);
  std::vector<int> calls(16);
  pool.For(4, [&](size_t i) { pool.For(4, [&, i](size_t j) { ++calls[i * 4 + j]; }); });
  EXPECT_THAT(calls, ::testing::Each(1));
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.For(100,
                        [](size_t i) {
                          if (i == 42) throw Error("no");
                        }),
               Error);
  std::atomic<int> calls{0};
  pool.For(100, [&](size_t) { ++calls; });
  EXPECT_EQ(calls, 100);
}

TEST(Json, ErrorsNameOriginAndKey) {
  EXPECT_THAT(ErrorText([] { ParseJson("{\"a\": ", "config.json"); }),
              HasSubstr("config.json: not valid JSON"));
  const Json json = ParseJson(R"({"a": 3, "b": "x", "c": -1, "d": 1.5, "n": null})", "f");
  EXPECT_EQ(JsonField<size_t>(json, "a", "f"), 3u);
  EXPECT_EQ(JsonField<double>(json, "a", "f"), 3.0);
  EXPECT_EQ(JsonField<int>(json, "c", "f"), -1);
  EXPECT_EQ(JsonField<size_t>(json, "n", "f", 7), 7u);
  EXPECT_EQ(JsonField<size_t>(json, "zzz", "f", 7), 7u);
  EXPECT_EQ(ErrorText([&] { JsonField<size_t>(json, "zzz", "f"); }), "f: 'zzz' is missing");
  for (const char* key : {"b", "c", "d"}) {
    EXPECT_THAT(ErrorText([&] { JsonField<size_t>(json, key, "f"); }), HasSubstr("wrong type or range"))
        << key;
  }
  EXPECT_THAT(ErrorText([&] { JsonField<size_t>(json, "b", "f", 1); }), HasSubstr("wrong type or range"));
  EXPECT_THAT(ErrorText([] { ParseJson("[1e999]", "f"); }), HasSubstr("a number is out of range"));
}

TEST(Json, NestingIsLimited) {
  const auto nested = [](size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(ParseJson(nested(500), "f").size(), 1u);
  EXPECT_THAT(ErrorText([&] { ParseJson(nested(501), "f"); }), HasSubstr("f: JSON is nested more than 500"));
  EXPECT_THAT(ErrorText([&] { ParseJson(nested(1000000), "f"); }), HasSubstr("nested"));
  const std::string in_strings = "[\"\\\"" + std::string(1000, '[') + "\", \"{\"]";
  EXPECT_EQ(ParseJson(in_strings, "f").size(), 2u);
  const std::string side_by_side = "[" + std::string(1000, ' ') + "[],[],{\"a\": {}}]";
  EXPECT_EQ(ParseJson(side_by_side, "f").size(), 3u);
}

TEST(Json, MembersAreLimitedWhereAsked) {
  const std::string text = R"({"a": {"b": 1, "c": 2}, "d": ":::"})";
  EXPECT_EQ(ParseJson(text, "f", {.members = 2}).size(), 2u);
  EXPECT_THAT(ErrorText([&] { ParseJson(text, "f", {.members = 1}); }),
              HasSubstr("f: an object has more than 1 members"));
}

TEST(Hash, IsXxh3) {
  // Golden: xxhsum -H3 (xxHash 0.8.1) of empty input.
  EXPECT_EQ(HashText(Hash64("")), "2d06800538d394c2");
}

TEST(Progress, TextsForPeople) {
  EXPECT_EQ(DurationText(3.6), "4 s");
  EXPECT_EQ(DurationText(185), "3 min 05 s");
  EXPECT_EQ(DurationText(2 * 3600 + 7 * 60 + 29), "2 h 07 min");
  EXPECT_EQ(SizeText(13.3e6), "13.3 MB");
  EXPECT_EQ(SizeText(2.5e9), "2.50 GB");
}

TEST(Progress, PlainLinesWhenRedirected) {
  const test::TemporaryFolder folder;
  const Path path = folder / "progress.txt";
  std::FILE* file = std::fopen(path.c_str(), "w");
  const Progress progress = ConsoleProgress(file);
  for (int i = 0; i <= 100; ++i) progress({"factorize", double(i), 100, ""});
  progress({"distil", 5, 5, "done"});
  std::fclose(file);
  EXPECT_EQ(ReadTextFile(path), "factorize: 0%, 0 s\nfactorize: 100%, 0 s\ndistil: 100%, 0 s, done\n");
}

TEST(Interrupt, IsAFlag) {
  CatchInterrupts();
  EXPECT_FALSE(InterruptRequested());
  std::raise(SIGINT);
  EXPECT_TRUE(InterruptRequested());
  EXPECT_THROW(ThrowIfInterrupted(), Interrupted);
  ClearInterrupt();
  EXPECT_NO_THROW(ThrowIfInterrupted());
}

TEST(Interrupt, EndsAWaitForInput) {
  CatchInterrupts();
  std::raise(SIGINT);  // before the wait, which it therefore does not end by itself
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_THROW(ReadTextFile("/dev/fd/" + std::to_string(ends[0])), Interrupted);
  ClearInterrupt();
  close(ends[0]);
  close(ends[1]);
}

// Libraries have threads, which may take a signal; it is to end the wait all the same.
TEST(Interrupt, ReachesTheThreadThatWaits) {
  CatchInterrupts();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::thread other([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::raise(SIGINT);
  });
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(InterruptSignal(), SIGINT);
  other.join();
  ClearInterrupt();
  close(ends[0]);
  close(ends[1]);
}

TEST(Interrupt, AHangUpIsOneAndMayComeTwice) {
  CatchInterrupts();
  std::raise(SIGHUP);
  std::raise(SIGHUP);
  EXPECT_TRUE(InterruptRequested());
  ClearInterrupt();
}

TEST(Interrupt, AnIgnoredHangUpStaysIgnored) {
  std::signal(SIGHUP, SIG_IGN);
  CatchInterrupts();
  std::raise(SIGHUP);
  EXPECT_FALSE(InterruptRequested());
  std::signal(SIGHUP, SIG_DFL);
}

}  // namespace
}  // namespace addend
