#include "cli/compress_options.h"

#include <algorithm>

#include "base/interrupt.h"
#include "cli/output.h"
#include "compress/compress.h"

namespace addend {
namespace {

template <typename Report>
void PrintReport(const Report& report, bool json) {
  PrintResult(report.ToJson(), report.ToText(), json);
}

}  // namespace

void AddOutputOptions(CLI::App& app, CompressArguments& arguments) {
  AddPath(app, "-o,--output", arguments.out, "the compressed file to write")->required();
  AddPath(app, "--work-folder", arguments.options.work_folder, "new or empty; deleted when done")
      ->default_str("OUT.work");
  AddFlag(app, "--keep-work", arguments.options.keep_work_folder, "keep that folder when done");
}

void AddTuningOptions(CLI::App& app, CompressArguments& arguments) {
  CompressOptions& options = arguments.options;
  const auto add_calibration = [&options](const std::vector<std::string>& files) {
    if (std::ranges::count(files, "") > 0) throw UsageError("--calibration: a name is empty");
    if (std::ranges::count(files, "-") > 1) throw UsageError("--calibration: standard input is given twice");
    options.calibration.assign(files.begin(), files.end());
  };
  app.add_option_function<std::vector<std::string>>("--calibration", add_calibration,
                                                    "texts, - = standard input; else the model's own")
      ->type_name("PATH...");
  AddNumber(app, "--calibration-length", options.calibration_length, {2, 1 << 20},
            "the text is cut into sequences of N tokens");
  AddNumber(app, "--calibration-sequences", options.statistics_sequences, {0, 1 << 20},
            "how many are measured; 0 = by effort");
  AddChoice(app, "--effort", options.effort, ByName({Effort::kFast, Effort::kDefault, Effort::kBest}),
            "time for quality");
  AddChoice(app, "--train", options.train, ByName({Training::kScales, Training::kAll}), "what tuning moves")
      ->default_str("by effort");
  AddNumber(app, "--block-epochs", options.block_epochs, {0, 1000}, "passes of tuning block by block before");
  CLI::Option* time = AddDuration(app, "--time", options.seconds, "90s, 5m, 2h for everything together")
                          ->default_str("by effort");
  CLI::Option* distill_time =
      AddDuration(app, "--distill-time", options.distill_seconds, "for tuning the whole model; 0 = none")
          ->excludes(time);
  AddNumber(app, "--distill-steps", options.distill_steps, {0, 1 << 30},
            "in place of a time: the result then repeats")
      ->excludes(time)
      ->excludes(distill_time);
  AddNumber(app, "--seed", options.seed, {0, UINT64_MAX}, "equal seeds give equal files");
}

void AddReportOptions(CLI::App& app, CompressArguments& arguments) {
  AddCommonOptions(app, arguments.common);
  AddJson(app, arguments.json);
}

void RunCompression(const CompressArguments& arguments) {
  std::vector<Path> inputs = arguments.options.calibration;
  inputs.push_back(arguments.source);
  if (!arguments.options.start.empty()) inputs.push_back(arguments.options.start);
  CheckOutput(inputs, arguments.out);
  CheckWorkFolder(arguments.out, arguments.options);
  CatchInterrupts();
  ThreadPool pool(arguments.common.threads);
  if (arguments.dry_run) {
    PrintReport(PlanCompression(arguments.source, arguments.options, pool), arguments.json);
    return;
  }
  try {
    PrintReport(Compress(arguments.source, arguments.out, arguments.options, pool,
                         arguments.common.ConsoleProgress()),
                arguments.json);
  } catch (const Interrupted& error) {
    throw Interrupted(error.what(), "; the same command goes on where it stopped");
  }
}

}  // namespace addend
