// `addend export FILE -o OUT`
#include <cstdio>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace addend {
namespace {

struct Arguments {
  Path model, out;
  DType type = DType::kF16;
  bool quiet = false;
};

void Run(const Arguments& arguments) {
  CatchInterrupts();
  CheckOutput(arguments.model, arguments.out);
  const Model model = LoadCheckedModel(arguments.model);
  if (arguments.out.extension() == ".gguf") {
    ExportGguf(model, arguments.out, arguments.type);
    return;
  }
  ExportHuggingFace(model, arguments.out, arguments.type);
  if (!std::filesystem::exists(arguments.out / "tokenizer.json") && !arguments.quiet) {
    std::fprintf(stderr, "note: the model's file has no tokenizer.json; copy the original one to %s\n",
                 OneLine(arguments.out.string()).c_str());
  }
}

}  // namespace

CommandRun SetUpExport(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Files");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddPath(app, "-o,--output", arguments->out, "a name that ends in .gguf, or a Hugging Face folder to fill")
      ->required();
  AddChoice(app, "--type", arguments->type,
            {{"f16", DType::kF16}, {"bf16", DType::kBF16}, {"f32", DType::kF32}}, "of the weights");
  app.option_defaults()->group("General");
  AddFlag(app, "--quiet", arguments->quiet, "no notes");
  app.footer(
      "Examples:\n"
      "  addend export model.gguf -o dense.f16.gguf\n"
      "  addend export model.gguf -o folder --type f32");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
