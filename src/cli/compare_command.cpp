// `addend compare A B C...`
#include <algorithm>
#include <memory>

#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/output.h"
#include "report/comparison_page.h"
#include "report/text_chart.h"

namespace addend {
namespace {

struct Arguments {
  std::vector<Path> models;
  EvalArguments protocol;  // the text empty: by what the recipes say
  Path page;
};

std::string NumberOr(const Json& value, const char* format, double factor = 1) {
  return value.is_number() ? Format(format, factor * value.get<double>()) : "";
}

std::string FileRow(const Json& file) {
  constexpr size_t kLongestName = 40;
  const std::string name = Shortened(OneLine(file["file"].get<std::string>()), kLongestName);
  std::string row =
      Format("%c %-3s %-40s %9s %7.3f %7.3f", file["front"].get<bool>() ? '*' : ' ',
             file["label"].get<std::string>().c_str(), name.c_str(), SizeText(file["bytes"]).c_str(),
             file["file_bits_per_weight"].get<double>(), file["linear_bits_per_weight"].get<double>());
  const Json& quality = file["quality"];
  if (!quality.is_null()) {
    row += Format(" %11s %8s %8s", NumberOr(quality["perplexity"], "%.4f").c_str(),
                  NumberOr(quality["kl_divergence"], "%.4f").c_str(),
                  NumberOr(quality["top1_agreement"], "%.1f %%", 100).c_str());
  }
  return row + "\n";
}

std::string ToText(const Json& comparison) {
  std::string text = Format("%-46s %9s %7s %7s %11s %8s %8s\n", "", "size", "file", "layers", "perplexity",
                            "KL", "same top");
  for (const Json& file : comparison["files"]) text += FileRow(file);
  text += "\nfile, layers: bits a weight";
  if (!comparison["measure"].is_null()) text += "; *: no other is both smaller and better";
  text += "\n";
  for (const Json& note : comparison["notes"]) text += OneLine(note.get<std::string>()) + "\n";
  constexpr int kFewest = 3;  // a picture of fewer says nothing that the table does not
  const auto measured = std::ranges::count_if(comparison["files"],
                                              [](const Json& file) { return !file.at("quality").is_null(); });
  if (measured >= kFewest) text += "\n" + DrawAsText(ComparisonChart(comparison));
  return text;
}

void CheckArguments(const Arguments& arguments) {
  const EvalArguments& protocol = arguments.protocol;
  CheckWindow(protocol);
  std::vector<Path> inputs = arguments.models;
  for (const Path& input : {protocol.text, protocol.reference}) {
    if (!input.empty()) inputs.push_back(input);
  }
  if (!arguments.page.empty()) CheckOutput(inputs, arguments.page);
}

void Run(const Arguments& arguments) {
  CheckArguments(arguments);
  CatchInterrupts();
  const Json comparison = Comparison(arguments.models, arguments.protocol);
  if (!arguments.page.empty()) WriteFileAtomically(arguments.page, ComparisonPage(comparison));
  PrintResult(comparison, ToText(comparison), arguments.protocol.json);
}

}  // namespace

CommandRun SetUpCompare(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  EvalArguments& protocol = arguments->protocol;
  app.option_defaults()->group("Models");
  const auto add = [arguments](const std::vector<std::string>& models) {
    if (std::ranges::count(models, "") > 0) throw UsageError("MODELS: a name is empty");
    arguments->models.assign(models.begin(), models.end());
  };
  app.add_option_function<std::vector<std::string>>("MODELS", add, "compressed, GGUF or Hugging Face folders")
      ->type_name("PATH...")
      ->required();
  CLI::Option* text =
      AddPath(app, "-f,--file", protocol.text, "measure all on this text; - = standard input");
  AddPath(app, "--reference", protocol.reference, "the original: measure KL divergence too")->needs(text);
  AddProtocolOptions(app, protocol);
  app.option_defaults()->group("Output");
  AddPath(app, "--html", arguments->page, "also a page with a chart");
  AddJson(app, protocol.json);
  AddCommonOptions(app, protocol.common);
  app.footer(
      "Without -f by the quality that each file recorded of itself when it was made.\n\n"
      "Examples:\n"
      "  addend compare small.gguf smaller.gguf --html comparison.html\n"
      "  addend compare *.gguf -f wiki.test.raw --reference original.gguf");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
