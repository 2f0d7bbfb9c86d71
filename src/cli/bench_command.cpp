// `addend bench FILE`
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "base/interrupt.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "evaluate/statistics.h"
#include "kernels/target.h"
#include "model/transformer.h"

namespace addend {
namespace {

struct Arguments {
  Path model;
  size_t prompt = 512, decode = 128, repetitions = 3;
  std::vector<size_t> threads = {0};
  bool json = false;
};

// One row of the table; the names are llama-bench's.
struct Row {
  std::string test;  // "pp512" reads a prompt of 512 tokens at once, "tg128" writes 128 one by one
  size_t threads = 0;
  RunningMean tokens_per_second;

  // Of a single run.
  double StandardDeviation() const {
    return tokens_per_second.standard_error() * std::sqrt(static_cast<double>(tokens_per_second.count()));
  }
};

// Runs all tokens in steps of `step` through an empty cache; returns the seconds it took.
double Time(Transformer& transformer, std::span<const TokenId> tokens, size_t step) {
  KvCache cache(transformer.config(), tokens.size());
  Matrix logits;
  const double begin = WallSeconds();
  for (size_t at = 0; at < tokens.size(); at += step) {
    ThrowIfInterrupted();
    transformer.Forward(tokens.subspan(at, step), cache, LogitRows::kLast, logits);
  }
  return WallSeconds() - begin;
}

Row Measure(Transformer& transformer, const std::string& test, size_t tokens, size_t step,
            size_t repetitions) {
  Rng rng(1);
  std::vector<TokenId> ids(tokens);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.Below(transformer.config().vocabulary));
  Time(transformer, std::span(ids).first(step), step);  // the first pass also reads the weights from disk
  Row row{.test = test + std::to_string(tokens), .threads = transformer.pool().size()};
  for (size_t i = 0; i < repetitions; ++i) {
    row.tokens_per_second.Add(static_cast<double>(tokens) / Time(transformer, ids, step));
  }
  return row;
}

std::vector<Row> MeasureAll(const Arguments& arguments, const Model& model) {
  std::vector<Row> rows;
  for (const size_t threads : arguments.threads) {
    ThreadPool pool(threads);
    Transformer transformer(model, pool);
    const auto measure = [&](const char* test, size_t tokens, size_t step) {
      if (tokens > 0) rows.push_back(Measure(transformer, test, tokens, step, arguments.repetitions));
    };
    measure("pp", arguments.prompt, arguments.prompt);
    measure("tg", arguments.decode, 1);
  }
  return rows;
}

Json ToJson(const Row& row) {
  return {{"test", row.test},
          {"threads", row.threads},
          {"tokens_per_second", row.tokens_per_second.mean()},
          {"standard_deviation", row.StandardDeviation()},
          {"repetitions", row.tokens_per_second.count()}};
}

std::string ToText(const std::string& name, double bytes, const std::vector<Row>& rows) {
  const int width = static_cast<int>(std::max<size_t>(name.size(), 5));
  const std::string line(static_cast<size_t>(width), '-');
  std::string text =
      Format("| %-*s |       size | target | threads |   test |            tokens/s |\n", width, "model") +
      "|-" + line + "-|-----------:|--------|--------:|-------:|--------------------:|\n";
  for (const Row& row : rows) {
    text += Format("| %-*s | %10s | %-6s | %7zu | %6s | %9.2f +- %6.2f |\n", width, name.c_str(),
                   SizeText(bytes).c_str(), std::string(Name(CurrentTarget())).c_str(), row.threads,
                   row.test.c_str(), row.tokens_per_second.mean(), row.StandardDeviation());
  }
  return text;
}

void Run(const Arguments& arguments) {
  if (arguments.prompt == 0 && arguments.decode == 0) {
    throw UsageError("-p and -n are both 0, which leaves nothing to measure");
  }
  CatchInterrupts();
  const Model model = LoadCheckedModel(arguments.model);
  const double bytes = CountBits(model).total_bits / 8;
  const std::vector<Row> rows = MeasureAll(arguments, model);
  const std::string name = OneLine(arguments.model.filename().string());
  if (!arguments.json) {
    Print(ToText(name, bytes, rows));
    return;
  }
  Json json = {{"model", arguments.model.string()},
               {"bytes", bytes},
               {"target", Name(CurrentTarget())},
               {"tests", Json::array()}};
  for (const Row& row : rows) json["tests"].push_back(ToJson(row));
  PrintJson(json);
}

// "1,2,4": each is measured.
void AddThreadCounts(CLI::App& app, std::vector<size_t>& threads) {
  const std::string names = "-t,--threads";
  const auto parse = [names, &threads](const std::vector<std::string>& texts) {
    threads.clear();
    for (const std::string& text : texts) {
      threads.push_back(ParseNumber<size_t>(names, text, {0, kMostThreads}));
    }
  };
  app.add_option_function<std::vector<std::string>>(names, parse, "threads to try; 0 = one for each CPU")
      ->type_name("N,N...")
      ->allow_extra_args(false)
      ->delimiter(',');
}

}  // namespace

CommandRun SetUpBench(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Model");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  app.option_defaults()->group("Tests");
  AddNumber(app, "-p,--n-prompt", arguments->prompt, {0, 1 << 20}, "pp: read N tokens at once; 0 = skip");
  AddNumber(app, "-n,--n-gen", arguments->decode, {0, 1 << 20}, "tg: write N tokens one by one; 0 = skip");
  AddNumber(app, "-r,--repetitions", arguments->repetitions, {1, 1000}, "times each is measured");
  app.option_defaults()->group("General");
  AddThreadCounts(app, arguments->threads);
  AddTargetOption(app);
  AddFlag(app, "--json", arguments->json, "the result as JSON");
  app.footer(
      "Examples:\n"
      "  addend bench model.gguf\n"
      "  addend bench model.gguf -t 1,2,4 -p 0 -n 256");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
