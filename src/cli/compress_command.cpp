// `addend compress MODEL -o OUT.gguf`
#include <memory>

#include "allocate/allocation.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "compress/compress.h"

namespace addend {
namespace {

struct Arguments {
  Path source, out;
  CompressOptions options;
  bool dry_run = false, json = false;
  CommonOptions common;
};

// "dbf: what it does" for each method, for the foot of the help.
std::string MethodList() {
  std::string list = "Methods:";
  for (const MethodInfo& method : FactorizeMethods()) {
    list += "\n  " + std::string(method.name) + ": " + std::string(method.description);
  }
  return list;
}

Choices<std::string> MethodChoices() {
  Choices<std::string> choices;
  for (const MethodInfo& method : FactorizeMethods()) {
    choices.emplace_back(std::string(method.name), std::string(method.name));
  }
  return choices;
}

template <typename Result>
void PrintResult(const Result& result, bool json) {
  if (json) {
    PrintJson(result.ToJson());
  } else {
    Print(result.ToText());
  }
}

void Run(const Arguments& arguments) {
  CheckOutput(arguments.source, arguments.out);
  CatchInterrupts();
  ThreadPool pool(arguments.common.threads);
  if (arguments.dry_run) {
    PrintResult(PlanCompression(arguments.source, arguments.options, pool), arguments.json);
    return;
  }
  try {
    PrintResult(Compress(arguments.source, arguments.out, arguments.options, pool,
                         arguments.common.ConsoleProgress()),
                arguments.json);
  } catch (const Interrupted& error) {
    throw Interrupted(error.what(), "; the same command goes on where it stopped");
  }
}

}  // namespace

CommandRun SetUpCompress(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  CompressOptions& options = arguments->options;

  app.option_defaults()->group("Files");
  AddModel(app, arguments->source, "Hugging Face folder or dense GGUF file");
  AddPath(app, "-o,--output", arguments->out, "the compressed file to write")->required();
  AddPath(app, "--work-folder", options.work_folder, "finished parts, to go on after a stop")
      ->default_str("OUT.work");
  AddFlag(app, "--keep-work", options.keep_work_folder, "keep that folder when done");

  app.option_defaults()->group("Compression");
  AddNumber(app, "--bits", options.bits, {kMinBits, kMaxBits}, "per weight of linear layers, with scales");
  AddChoice(app, "--allocation", options.allocation,
            {{"marginal", AllocationPolicy::kMarginal}, {"uniform", AllocationPolicy::kUniform}},
            "who gets which rate");
  AddChoice(app, "--embedding-type", options.embedding_type,
            {{"q8_0", DType::kQ8_0}, {"q4_0", DType::kQ4_0}, {"f16", DType::kF16}}, "of embedding, head");
  AddChoice(app, "--effort", options.effort,
            {{"fast", Effort::kFast}, {"default", Effort::kDefault}, {"best", Effort::kBest}},
            "time for quality");
  AddChoice(app, "--method", options.method, MethodChoices(), "see below");
  AddNumber(app, "--seed", options.seed, {0, UINT64_MAX}, "equal seeds give equal files");

  app.option_defaults()->group("Calibration and tuning");
  const auto add_calibration = [&options](const std::vector<std::string>& files) {
    options.calibration.assign(files.begin(), files.end());
  };
  app.add_option_function<std::vector<std::string>>("--calibration", add_calibration,
                                                    "texts; else the model writes some itself")
      ->type_name("PATH...");
  AddNumber(app, "--calibration-length", options.calibration_length, {2, 1 << 20}, "tokens in a sequence");
  AddNumber(app, "--calibration-sequences", options.statistics_sequences, {0, 1 << 20},
            "how many are measured; 0 = by effort");
  CLI::Option* time =
      AddDuration(app, "--distill-time", options.distill_seconds, "90s, 5m, 2h to tune all scales; 0 = none")
          ->default_str("by effort");
  AddNumber(app, "--distill-steps", options.distill_steps, {0, 1 << 30},
            "in place of a time: the result then repeats")
      ->default_str("")
      ->excludes(time);

  AddCommonOptions(app, arguments->common);
  AddFlag(app, "--dry-run", arguments->dry_run, "only print the plan: size, time, memory");
  AddFlag(app, "--json", arguments->json, "the report (or plan) as JSON");
  app.footer(MethodList() +
             "\n\nExamples:\n"
             "  addend compress SmolLM2-135M-Instruct --bits 1.5 -o model.gguf\n"
             "  addend compress model.f16.gguf -o model.gguf --calibration a.txt b.txt");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
