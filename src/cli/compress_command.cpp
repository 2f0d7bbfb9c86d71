// `addend compress MODEL -o OUT.gguf`
#include <memory>

#include "allocate/allocation.h"
#include "cli/commands.h"
#include "cli/compress_options.h"
#include "cli/output.h"

namespace addend {
namespace {

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

}  // namespace

CommandRun SetUpCompress(CLI::App& app) {
  const auto arguments = std::make_shared<CompressArguments>();
  CompressOptions& options = arguments->options;

  app.option_defaults()->group("Files");
  AddModel(app, arguments->source, "Hugging Face folder or dense GGUF file");
  AddOutputOptions(app, *arguments);

  app.option_defaults()->group("Compression");
  CLI::Option* bits = AddNumber(app, "--bits", options.bits, {kMinBits, kMaxBits},
                                Format("%g to %g per linear weight, scales included", kMinBits, kMaxBits));
  AddSize(app, "--size", options.file_bytes, "of the file, as 30MB: finds the best split itself")
      ->excludes(bits);
  AddChoice(app, "--allocation", options.allocation,
            ByName({AllocationPolicy::kMarginal, AllocationPolicy::kChannels, AllocationPolicy::kUniform}),
            "of bits");
  AddChoice(app, "--prefix", options.prefix, ByName({Prefix::kDense, Prefix::kCompressed}),
            "layers before one");
  CLI::Option* type = AddChoice(app, "--embedding-type", options.embedding_type,
                                {{"f16", DType::kF16},
                                 {"q8_0", DType::kQ8_0},
                                 {"q5_1", DType::kQ5_1},
                                 {"q5_0", DType::kQ5_0},
                                 {"q4_1", DType::kQ4_1},
                                 {"q4_0", DType::kQ4_0}},
                                "head too")
                          ->default_str("q8_0");
  AddNumber(app, "--embedding-bits", options.embedding_bits, {kMinBits, kMaxBits}, "factored, not of a type")
      ->excludes(type);
  AddChoice(app, "--method", options.method, MethodChoices(), "of factorization");

  app.option_defaults()->group("Calibration and tuning");
  AddTuningOptions(app, *arguments);

  AddReportOptions(app, *arguments);
  AddFlag(app, "--dry-run", arguments->dry_run, "only print the plan: size, time, memory");
  app.footer(MethodList() +
             "\n\nExamples:\n"
             "  addend compress model.f16.gguf --bits 1.5 -o model.gguf\n"
             "  addend compress FOLDER --size 30MB -o m.gguf --calibration *.txt --dry-run");
  return [arguments] {
    if (arguments->options.file_bytes && arguments->options.allocation == AllocationPolicy::kChannels)
      throw UsageError("--size: goes with --allocation marginal or uniform only");
    RunCompression(*arguments);
  };
}

}  // namespace addend
