// Where tests find their data. What is not part of the repository (the real model, evaluation texts) may be
// missing: such a test skips with a message, and CI has it.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "base/file.h"

namespace addend::test {

inline Path GoldenPath(const std::string& name) {
  return Path(ADDEND_TESTS_DIR) / "golden" / name;
}

// A folder of its own for each test, removed at the end: tests run side by side.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(Path(::testing::TempDir()) /
              ("addend-" + std::to_string(getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const Path& path() const { return path_; }
  Path operator/(const std::string& name) const { return path_ / name; }

 private:
  Path path_;
};

inline Path CacheFolder() {
  if (const char* folder = std::getenv("ADDEND_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) return Path(folder) / "addend";
  const char* home = std::getenv("HOME");
  return Path(home != nullptr ? home : "/tmp") / ".cache" / "addend";
}

inline std::optional<Path> IfExists(const Path& path) {
  return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
}

// SmolLM2-135M-Instruct, as scripts/fetch_smollm2.sh leaves it.
inline std::optional<Path> SmolLm2() {
  return IfExists(CacheFolder() / "SmolLM2-135M-Instruct.Q4_1.gguf");
}
// A tokenizer.json by the name of its golden file, as scripts/fetch_tokenizers.sh leaves it.
inline std::optional<Path> TokenizerJson(const std::string& name) {
  return IfExists(CacheFolder() / "tokenizers" / name / "tokenizer.json");
}
// A calibration or evaluation text.
inline std::optional<Path> SharedText(const std::string& name) {
  return IfExists(Path(ADDEND_SHARED_DIR) / "data" / name);
}

}  // namespace addend::test

#define ADDEND_SKIP_WITHOUT(optional_path, what) \
  if (!(optional_path)) GTEST_SKIP() << what << " is not here; see CONTRIBUTING.md, \"Test data\""
