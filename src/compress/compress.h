// The pipeline: a dense model and some text in, one compressed file out.
#pragma once
#include "base/file.h"
#include "base/progress.h"
#include "base/threads.h"
#include "compress/options.h"
#include "compress/plan.h"
#include "compress/report.h"

namespace addend {

// Throws Error when the work folder of these options cannot serve: it holds files of others, or would hold
// `out`. Changes nothing.
void CheckWorkFolder(const Path& out, const CompressOptions& options);

// Writes `out` atomically. Whatever is finished is kept in the work folder: after a crash or Ctrl-C the same
// call goes on where it stopped, and the file is the same bit for bit. Throws Error; Interrupted when the
// user asked to stop.
CompressReport Compress(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
                        const Progress& progress);

}  // namespace addend
