// `addend refine FILE --reference MODEL -o OUT.gguf`
#include <memory>

#include "cli/commands.h"
#include "cli/compress_options.h"

namespace addend {

CommandRun SetUpRefine(CLI::App& app) {
  const auto arguments = std::make_shared<CompressArguments>();
  app.option_defaults()->group("Files");
  AddModel(app, arguments->options.start, "the compressed file to go on from");
  AddPath(app, "--reference", arguments->source, "the original: Hugging Face folder or dense GGUF file")
      ->required();
  AddOutputOptions(app, *arguments);

  app.option_defaults()->group("Calibration and tuning");
  AddTuningOptions(app, *arguments);

  AddReportOptions(app, *arguments);
  app.footer(
      "Goes on tuning what compress wrote; on the held-out text it never gets worse.\n\n"
      "Examples:\n"
      "  addend refine small.gguf --reference original.gguf -o better.gguf --time 1h");
  return [arguments] { RunCompression(*arguments); };
}

}  // namespace addend
