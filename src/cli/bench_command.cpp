// `addend bench FILE`
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/interrupt.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "evaluate/statistics.h"
#include "kernels/read_bandwidth.h"
#include "kernels/target.h"
#include "model/model.h"
#include "model/synthetic_model.h"
#include "model/transformer.h"

namespace addend {
namespace {

constexpr size_t kDepthStep = 512;  // tokens at once of what is in the cache before

struct Arguments {
  Path model;
  std::optional<std::string> shape;  // instead of a model
  SyntheticOptions synthetic;
  Path save;
  size_t prompt = 512, decode = 128, depth = 0, repetitions = 3;
  DType kv_type = DType::kF16;
  std::vector<size_t> threads = {0};
  bool profile = false, json = false;
};

// One row of the table; the names are llama-bench's.
struct Row {
  std::string test;  // "pp512" reads a prompt of 512 tokens at once, "tg128" writes 128 one by one
  size_t threads = 0;
  RunningMean tokens_per_second;
  // Of weights, when each token reads all of them; and what this machine reads from memory with as many
  // threads.
  std::optional<double> bytes_per_second, read_bandwidth;
  OperationTimes times;  // of all repetitions together
  size_t timed_tokens = 0;

  // Of a single run.
  double StandardDeviation() const {
    return tokens_per_second.standard_error() * std::sqrt(static_cast<double>(tokens_per_second.count()));
  }
};

struct Measured {
  std::string name;
  double bytes = 0;
  double ready_seconds = 0;  // from the file, or from nothing, to a model that can run
  std::vector<Row> rows;
};

// Appends all tokens to the cache in steps of `step`; returns the seconds it took.
double Time(Transformer& transformer, std::span<const TokenId> tokens, size_t step, KvCache& cache) {
  Matrix logits;
  const double begin = WallSeconds();
  for (size_t at = 0; at < tokens.size(); at += step) {
    ThrowIfInterrupted();
    transformer.Forward(tokens.subspan(at, std::min(step, tokens.size() - at)), cache, LogitRows::kLast,
                        logits);
  }
  return WallSeconds() - begin;
}

// Weights that one token's pass reads, as stored.
double BytesPerToken(const Model& model) {
  return (CountBits(model).linear_bits + model.HeadMatrix().Bits()) / 8;
}

Row Measure(Transformer& transformer, const std::string& test, size_t tokens, size_t step,
            const Arguments& arguments) {
  Rng rng(1);
  const auto random_tokens = [&](size_t count) {
    std::vector<TokenId> ids(count);
    for (TokenId& id : ids) id = static_cast<TokenId>(rng.Below(transformer.config().vocabulary));
    return ids;
  };
  const size_t depth = arguments.depth;
  KvCache cache(transformer.config(), depth + tokens, arguments.kv_type);
  Time(transformer, random_tokens(depth), kDepthStep, cache);
  const std::vector<TokenId> ids = random_tokens(tokens);
  Time(transformer, std::span(ids).first(step), step,
       cache);  // the first pass also reads the weights from disk
  Row row{.test = test + std::to_string(tokens) + (depth > 0 ? " @ d" + std::to_string(depth) : ""),
          .threads = transformer.pool().size()};
  if (arguments.profile) transformer.MeasureInto(&row.times);
  for (size_t i = 0; i < arguments.repetitions; ++i) {
    cache.Truncate(depth);
    row.tokens_per_second.Add(static_cast<double>(tokens) / Time(transformer, ids, step, cache));
    row.timed_tokens += tokens;
  }
  transformer.MeasureInto(nullptr);
  return row;
}

// A name, or the path of a config.json.
ModelConfig ShapeOf(const std::string& shape) {
  if (shape.ends_with(".json")) return ShapeFromConfig(shape);
  ModelConfig config;
  AsUsage([&] { config = ShapeNamed(shape); });
  return config;
}

Model ModelToMeasure(const Arguments& arguments) {
  if (!arguments.shape) return LoadCheckedModel(arguments.model);
  if (!arguments.save.empty()) CheckOutput({}, arguments.save);
  ThreadPool pool;
  Model model = SyntheticModel(ShapeOf(*arguments.shape), arguments.synthetic, pool);
  if (!arguments.save.empty()) SaveModel(model, arguments.save);
  return model;
}

Measured MeasureAll(const Arguments& arguments) {
  const double start = WallSeconds();
  const Model model = ModelToMeasure(arguments);
  Measured measured{.name = arguments.shape ? model.config.name : arguments.model.filename().string(),
                    .bytes = CountBits(model).total_bits / 8};
  for (const size_t threads : arguments.threads) {
    ThreadPool pool(threads);
    Transformer transformer(model, pool);
    if (measured.ready_seconds == 0) measured.ready_seconds = WallSeconds() - start;
    if (arguments.prompt > 0) {
      measured.rows.push_back(Measure(transformer, "pp", arguments.prompt, arguments.prompt, arguments));
    }
    if (arguments.decode > 0) {
      Row row = Measure(transformer, "tg", arguments.decode, 1, arguments);
      row.bytes_per_second = BytesPerToken(model) * row.tokens_per_second.mean();
      row.read_bandwidth = ReadBandwidth(pool);
      measured.rows.push_back(std::move(row));
    }
  }
  return measured;
}

Json ToJson(const OperationTimes& times) {
  Json json = Json::object();
  for (size_t i = 0; i < kOperations; ++i) json[Name(static_cast<Operation>(i))] = times.seconds[i];
  return json;
}

Json ToJson(const Row& row, const Arguments& arguments) {
  Json json = {{"test", row.test},
               {"threads", row.threads},
               {"tokens_per_second", row.tokens_per_second.mean()},
               {"standard_deviation", row.StandardDeviation()},
               {"repetitions", row.tokens_per_second.count()}};
  if (row.bytes_per_second) json["weight_bytes_per_second"] = *row.bytes_per_second;
  if (row.read_bandwidth) json["read_bandwidth"] = *row.read_bandwidth;
  if (arguments.profile) json["seconds_by_operation"] = ToJson(row.times);
  return json;
}

std::string BandwidthText(const Row& row) {
  if (!row.bytes_per_second) return Format("%6s | %7s", "", "");
  return Format("%6.1f | %5.0f %%", *row.bytes_per_second * 1e-9,
                100 * *row.bytes_per_second / *row.read_bandwidth);
}

std::string ToText(const Measured& measured) {
  const std::string name = OneLine(measured.name);
  size_t name_width = 5, test_width = 6;
  name_width = std::max(name_width, name.size());
  for (const Row& row : measured.rows) test_width = std::max(test_width, row.test.size());
  const int width = static_cast<int>(name_width), tests = static_cast<int>(test_width);
  std::string text =
      Format("| %-*s |       size | target | threads | %*s |            tokens/s |   GB/s | of read |\n",
             width, "model", tests, "test") +
      "|-" + std::string(name_width, '-') + "-|-----------:|--------|--------:|-" +
      std::string(test_width, '-') + ":|--------------------:|-------:|--------:|\n";
  for (const Row& row : measured.rows) {
    text += Format("| %-*s | %10s | %-6s | %7zu | %*s | %9.2f +- %6.2f | ", width, name.c_str(),
                   SizeText(measured.bytes).c_str(), std::string(Name(CurrentTarget())).c_str(), row.threads,
                   tests, row.test.c_str(), row.tokens_per_second.mean(), row.StandardDeviation());
    text += BandwidthText(row) + " |\n";
  }
  if (const std::string remark(Remark(CurrentTarget())); !remark.empty()) {
    text += Format("\ntarget %s is %s\n", std::string(Name(CurrentTarget())).c_str(), remark.c_str());
  }
  return text + Format("\nready to run after %.2f s\n", measured.ready_seconds);
}

std::string ProfileText(const Row& row) {
  const double sum = std::accumulate(row.times.seconds.begin(), row.times.seconds.end(), 0.0);
  std::string text =
      Format("\n%s, %zu thread%s: ms a token\n", row.test.c_str(), row.threads, row.threads == 1 ? "" : "s");
  for (size_t i = 0; i < kOperations; ++i) {
    const double seconds = row.times.seconds[i];
    text += Format("  %-12s %9.4f  %5.1f %%\n", std::string(Name(static_cast<Operation>(i))).c_str(),
                   1e3 * seconds / static_cast<double>(row.timed_tokens), 100 * seconds / sum);
  }
  return text;
}

void CheckUsage(const Arguments& arguments) {
  if (arguments.prompt == 0 && arguments.decode == 0) {
    throw UsageError("-p and -n are both 0, which leaves nothing to measure");
  }
  if (arguments.model.empty() == !arguments.shape) {
    throw UsageError("give either a model or --shape");
  }
  if (!arguments.save.empty() && !arguments.shape) throw UsageError("--save is for a model made by --shape");
}

void Run(const Arguments& arguments) {
  CheckUsage(arguments);
  CatchInterrupts();
  const Measured measured = MeasureAll(arguments);
  Json json = {{"model", measured.name},
               {"bytes", measured.bytes},
               {"target", Name(CurrentTarget())},
               {"ready_seconds", measured.ready_seconds},
               {"tests", Json::array()}};
  for (const Row& row : measured.rows) json["tests"].push_back(ToJson(row, arguments));
  std::string text = ToText(measured);
  if (arguments.profile) {
    for (const Row& row : measured.rows) text += ProfileText(row);
  }
  PrintResult(json, text, arguments.json);
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
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder")->required(false);
  SyntheticOptions& synthetic = arguments->synthetic;
  OfferChoices(AddText(app, "--shape", arguments->shape,
                       "measure random weights in the shape of a config.json (its path), or of these"),
               ShapeNames());
  AddNumber(app, "-b,--bits", synthetic.bits, {0.01, 16}, "--shape: bits per weight of the linear layers");
  AddChoice(app, "--embedding-type", synthetic.embedding,
            {{"q8_0", DType::kQ8_0}, {"q4_0", DType::kQ4_0}, {"f16", DType::kF16}},
            "--shape: of embedding and head");
  AddPath(app, "--save", arguments->save, "--shape: write the model to this file, too");
  app.option_defaults()->group("Tests");
  AddNumber(app, "-p,--n-prompt", arguments->prompt, {0, 1 << 20}, "pp: read N tokens at once; 0 = skip");
  AddNumber(app, "-n,--n-gen", arguments->decode, {0, 1 << 20}, "tg: write N tokens one by one; 0 = skip");
  AddNumber(app, "-d,--n-depth", arguments->depth, {0, 1 << 20}, "behind so many tokens in the context");
  AddKvType(app, arguments->kv_type);
  AddNumber(app, "-r,--repetitions", arguments->repetitions, {1, 1000}, "times each is measured");
  app.option_defaults()->group("General");
  AddThreadCounts(app, arguments->threads);
  AddTargetOption(app);
  AddFlag(app, "--profile", arguments->profile, "what share of the time each operation takes");
  AddJson(app, arguments->json);
  app.footer(
      "Examples:\n"
      "  addend bench model.gguf\n"
      "  addend bench model.gguf -t 1,2,4 -p 0 -n 256\n"
      "  addend bench --shape llama-2-7b --bits 1 --profile");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
