// `addend export FILE -o OUT`
#include <cctype>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "model/model.h"

namespace addend {
namespace {

struct Arguments {
  Path model, out;
  DType type = DType::kF16;
  bool force = false, quiet = false;
};

bool IsGgufName(const Path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".gguf";
}

// Its files would be replaced one by one, and those that the export has not would stay.
void RefuseFolderOfModel(const Path& folder) {
  if (!std::filesystem::exists(folder / "config.json")) return;
  throw Error(folder.string(), ": already holds a model (config.json); name another folder, or give --force");
}

void Run(const Arguments& arguments) {
  CatchInterrupts();
  const bool gguf = IsGgufName(arguments.out);
  if (gguf) {
    CheckOutput({arguments.model}, arguments.out);
  } else {
    CheckOutputFolder({arguments.model}, arguments.out);
    if (!arguments.force) RefuseFolderOfModel(arguments.out);
  }
  const Model model = LoadCheckedModel(arguments.model);
  if (gguf) {
    ExportGguf(model, arguments.out, arguments.type);
    return;
  }
  ExportHuggingFace(model, arguments.out, arguments.type);
  if (!std::filesystem::exists(arguments.out / "tokenizer.json") && !arguments.quiet) {
    PrintNote("the model's file has no tokenizer.json; copy the original one to " + arguments.out.string());
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
  AddFlag(app, "--force", arguments->force, "write into a folder that holds a model");
  AddFlag(app, "--quiet", arguments->quiet, "no notes");
  app.footer(
      "Examples:\n"
      "  addend export model.gguf -o dense.f16.gguf\n"
      "  addend export model.gguf -o folder --type f32");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
