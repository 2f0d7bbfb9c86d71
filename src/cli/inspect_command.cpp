// `addend inspect FILE`
#include <memory>

#include "cli/commands.h"
#include "cli/inspection.h"
#include "cli/output.h"
#include "report/model_page.h"

namespace addend {
namespace {

struct Arguments {
  Path model, page, job;
  bool layers = false, json = false;
};

// Strings without quotes, numbers short.
std::string Short(const Json& value) {
  if (value.is_string()) return OneLine(value.get<std::string>());
  if (value.is_number_float()) return Format("%.6g", value.get<double>());
  return OneLine(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string RankText(const Json& group) {
  const size_t least = group["least_rank"], most = group["most_rank"];
  if (most == 0) return "";
  return least == most ? std::to_string(most) : std::to_string(least) + "-" + std::to_string(most);
}

std::string HeadlineText(const Json& result) {
  const Json& size = result["size"];
  const std::string name = Short(result["name"]);
  return Format("%s: %s%s%s, %.2f M weights in %s, %.3f bits each\n", Short(result["file"]).c_str(),
                Short(result["architecture"]).c_str(), name.empty() ? "" : " ", name.c_str(),
                size["weights"].get<double>() / 1e6, SizeText(size["bytes"]).c_str(),
                size["file_bits_per_weight"].get<double>());
}

std::string PairsText(const std::string& title, const Json& pairs) {
  std::string text = "\n" + title + "\n";
  for (const auto& [key, value] : pairs.items()) {
    text += Format("  %-22s %s\n", OneLine(key).c_str(), Short(value).c_str());
  }
  return text;
}

std::string MatrixText(const char* name, const Json& matrix) {
  if (matrix.is_null()) return Format("  %-22s tied to the embedding\n", name);
  const size_t rank = matrix["rank"];
  return Format("  %-22s %6zu x %-6zu  %-9s %9s %8.3f\n", name, matrix["rows"].get<size_t>(),
                matrix["columns"].get<size_t>(), Short(matrix["type"]).c_str(),
                rank == 0 ? "" : std::to_string(rank).c_str(), matrix["bits_per_weight"].get<double>());
}

std::string WeightsText(const Json& result) {
  std::string text =
      Format("\n%-24s %6s   %-6s  %-9s %9s %8s\n", "weights", "rows", "columns", "type", "rank", "bits");
  for (const Json& group : result["linears"]) {
    const std::string name = Format("%s (%zu)", Short(group["name"]).c_str(), group["count"].get<size_t>());
    text += Format("  %-22s %6zu x %-6zu  %-9s %9s %8.3f\n", name.c_str(), group["outputs"].get<size_t>(),
                   group["inputs"].get<size_t>(), Short(group["type"]).c_str(), RankText(group).c_str(),
                   group["bits_per_weight"].get<double>());
  }
  text +=
      Format("  %-58s %8.3f\n", "all linear layers", result["size"]["linear_bits_per_weight"].get<double>());
  return text + MatrixText("embedding", result["embedding"]) + MatrixText("head", result["head"]);
}

std::string LayersText(const Json& layers) {
  std::string text = Format("\n%-24s %-9s %9s %8s %14s %12s\n", "layers", "type", "rank", "bits",
                            "weighted error", "output error");
  for (const Json& layer : layers) {
    text +=
        Format("  %-22s %-9s %9zu %8.3f %14s %12s\n", Short(layer["name"]).c_str(),
               Short(layer["type"]).c_str(), layer["rank"].get<size_t>(),
               layer["bits_per_weight"].get<double>(), Short(layer.value("weighted_error", Json(""))).c_str(),
               Short(layer.value("output_error", Json(""))).c_str());
  }
  return text;
}

std::string ToText(const Json& result) {
  std::string text = HeadlineText(result) + PairsText("shape", result["config"]) + WeightsText(result) +
                     PairsText("tokenizer", result["tokenizer"]);
  if (!result["recipe"].empty()) text += PairsText("recipe", result["recipe"]);
  if (result.contains("layers")) text += LayersText(result["layers"]);
  return text;
}

// What the job that made the file printed of itself; null when it is not given.
Json JobOf(const Arguments& arguments, const Json& inspection) {
  if (arguments.job.empty()) return {};
  const std::string origin = arguments.job.string();
  Json job = ParseJson(ReadTextFile(arguments.job), origin);
  const auto bytes = JsonField<double>(job, "file_bytes", origin);
  if (bytes != inspection["size"]["bytes"]) {
    throw Error(origin, ": is of another file: one of ", bytes, " bytes, not ",
                inspection["size"]["bytes"].get<double>());
  }
  return job;
}

void Run(const Arguments& arguments) {
  const bool writes_page = !arguments.page.empty();
  if (writes_page) CheckOutput({arguments.model, arguments.job}, arguments.page);
  const Json result = Inspection(arguments.model, arguments.layers || writes_page);
  if (writes_page) {
    WriteFileAtomically(arguments.page, ModelPage(result, JobOf(arguments, result)));
  } else {
    PrintResult(result, ToText(result), arguments.json);
  }
}

}  // namespace

CommandRun SetUpInspect(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Model");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  app.option_defaults()->group("Output");
  AddFlag(app, "--layers", arguments->layers, "also each layer: rank, bits, errors");
  CLI::Option* json = AddJson(app, arguments->json);
  CLI::Option* page = AddPath(app, "--html", arguments->page, "a page to write, with charts")->excludes(json);
  AddPath(app, "--job", arguments->job, "what compress --json printed: its times")->needs(page);
  app.option_defaults()->group("General");
  app.footer(
      "Examples:\n"
      "  addend inspect model.gguf --layers\n"
      "  addend inspect model.gguf --html report.html");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
