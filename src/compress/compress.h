// The pipeline: a dense model and some text in, one compressed file out.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/threads.h"
#include "compress/report.h"
#include "factorize/factorize.h"
#include "tensor/dtype.h"

namespace addend {

struct CompressOptions {
  double bits = 1.0;  // average over the linear layers, scales included
  Effort effort = Effort::kDefault;
  std::string method = "dbf";
  std::vector<Path> calibration;        // text files; empty: text that the model itself generates
  size_t calibration_length = 512;      // tokens in a sequence
  size_t statistics_sequences = 0;      // for importance and covariance; 0 = by effort
  DType embedding_type = DType::kQ8_0;  // of embedding and head, unless the source already takes fewer bits
  std::optional<double>
      distill_seconds;       // time budget of the distillation; none = by effort, 0 = no distillation
  size_t distill_steps = 0;  // instead of a time budget: the result then depends on the seed alone
  uint64_t seed = 1;
  Path work_folder;               // empty: the output's name with ".work" behind it
  bool keep_work_folder = false;  // also after success
};

// What an effort level stands for where the options leave it open.
struct EffortSettings {
  size_t statistics_sequences;
  double distill_seconds;
};
EffortSettings SettingsOf(Effort effort);

// What would be done and what it would cost, without doing it. Time is a forecast from a short measurement of
// this machine.
struct CompressPlan {
  SizeReport size;  // of the planned file
  double seconds_statistics = 0, seconds_factorize = 0, seconds_distill = 0;
  double memory_bytes = 0;
  Json ToJson() const;
  std::string ToText() const;
};
CompressPlan PlanCompression(const Path& source, const CompressOptions& options, ThreadPool& pool);

// Writes `out` atomically. Whatever is finished is kept in the work folder: after a crash or Ctrl-C the same
// call goes on where it stopped, and the file is the same bit for bit. Throws Error; Interrupted when the
// user asked to stop.
CompressReport Compress(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
                        const Progress& progress);

}  // namespace addend
