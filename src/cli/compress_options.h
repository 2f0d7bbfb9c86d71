// What `addend compress` and `addend refine` share.
#pragma once
#include "cli/options.h"
#include "compress/options.h"

namespace addend {

struct CompressArguments {
  Path source, out;
  CompressOptions options;
  bool dry_run = false, json = false;
  CommonOptions common;
};

// Each adds to the option group that is current.
void AddOutputOptions(CLI::App& app, CompressArguments& arguments);
void AddTuningOptions(CLI::App& app, CompressArguments& arguments);
void AddReportOptions(CLI::App& app, CompressArguments& arguments);

// Compresses, tunes or plans, and prints the report.
void RunCompression(const CompressArguments& arguments);

}  // namespace addend
