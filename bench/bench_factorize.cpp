// Errors and CPU seconds of the factorization methods at a given rate: the tables of docs/factorization.md.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_factorize [--bits 1] [--seed 1] [--all 1]
//       [--model MODEL.gguf --text A.txt [--text B.txt ...]]
// Always two seeded Gaussians; with a model of SmolLM2-135M's shape (at least 26 blocks) and text, some of
// its layers, calibrated on 32 sequences of 512 tokens, with 16 others held out. --all 1 adds the published
// methods and effort "best". One thread; seconds are CPU time. All errors are relative squares: "weighted" by
// the importances, "output" against the input covariance of the calibration, "held out" against that of the
// other sequences.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"
#include "calibrate/calibration_text.h"
#include "calibrate/covariance.h"
#include "calibrate/importance.h"
#include "factorize/errors.h"
#include "factorize/factorize.h"
#include "linalg/gemm.h"
#include "model/model.h"

namespace addend {
namespace {

struct Options {
  double bits = 1;
  uint64_t seed = 1;
  bool all = false;
  std::string model;
  std::vector<Path> text;
};

struct Run {
  const char* method;
  Effort effort;
  bool covariance;
};

constexpr Run kRuns[] = {{"dbf", Effort::kFast, false},
                         {"dbf", Effort::kDefault, false},
                         {"dbf", Effort::kFast, true},
                         {"dbf", Effort::kDefault, true}};
constexpr Run kMoreRuns[] = {{"dbf-admm", Effort::kDefault, false},
                             {"nanoquant-admm", Effort::kDefault, false},
                             {"dbf", Effort::kBest, false},
                             {"dbf", Effort::kBest, true}};

const char* Name(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return "fast";
    case Effort::kDefault:
      return "default";
    default:
      return "best";
  }
}

// A weight with all that its errors are measured by; `covariance` and `held_out` are empty for a matrix
// without inputs.
struct Case {
  std::string name;
  Matrix weight, covariance, held_out;
  LinearImportance importance;

  FactorizeProblem Problem(const Matrix& inputs) const {
    FactorizeProblem problem{weight, importance.output, importance.input, {}};
    if (!inputs.empty()) problem.input_covariance = inputs;
    return problem;
  }
};

void RunOne(const Case& test, const Run& run, const Options& options, ThreadPool& pool) {
  FactorizeOptions settings;
  settings.method = run.method;
  settings.effort = run.effort;
  settings.seed = options.seed;
  settings.rank = RankForBits(test.weight.rows(), test.weight.cols(), options.bits);
  const double start = CpuSeconds();
  const FactorizeResult result =
      Factorize(test.Problem(run.covariance ? test.covariance : Matrix()), settings, pool);
  const double seconds = CpuSeconds() - start;
  std::printf("  %-14s %-8s %-10s %9.4f", run.method, Name(run.effort),
              run.covariance ? "covariance" : "diagonal", result.weighted_error);
  if (!test.covariance.empty()) {
    std::printf(" %9.4f %9.4f", MeasureErrors(test.Problem(test.covariance), result.weight, pool).output,
                MeasureErrors(test.Problem(test.held_out), result.weight, pool).output);
  } else {
    std::printf(" %9s %9s", "", "");
  }
  std::printf(" %8.2f\n", seconds);
  std::fflush(stdout);
}

void RunCase(const Case& test, const Options& options, ThreadPool& pool) {
  const size_t rows = test.weight.rows(), cols = test.weight.cols(),
               rank = RankForBits(rows, cols, options.bits);
  std::printf("%s, %zu x %zu, rank %zu: %.4f bits per weight\n", test.name.c_str(), rows, cols, rank,
              BitsPerWeight(rows, cols, rank));
  std::printf("  %-14s %-8s %-10s %9s %9s %9s %8s\n", "method", "effort", "objective", "weighted", "output",
              "held out", "cpu s");
  const auto run_if_possible = [&](const Run& run) {
    if (!run.covariance || !test.covariance.empty()) RunOne(test, run, options, pool);
  };
  for (const Run& run : kRuns) run_if_possible(run);
  if (!options.all) return;
  for (const Run& run : kMoreRuns) run_if_possible(run);
}

Case GaussianCase(size_t rows, size_t cols, uint64_t seed) {
  Case test{"Gaussian", Matrix(rows, cols), {}, {}, {}};
  Rng rng(seed);
  for (float& value : test.weight.values()) value = rng.Normal();
  return test;
}

struct Layer {
  size_t block;
  LinearKind kind;
};
constexpr Layer kLayers[] = {{2, LinearKind::kQ},
                             {10, LinearKind::kQ},
                             {10, LinearKind::kUp},
                             {10, LinearKind::kDown},
                             {25, LinearKind::kQ}};

void RunModel(const Options& options, ThreadPool& pool) {
  constexpr size_t kSequences = 32, kHeldOut = 16;
  const Model model = LoadModel(options.model);
  if (model.blocks.size() <= kLayers[std::size(kLayers) - 1].block)
    throw Error(options.model, ": too few blocks for this bench");
  const CalibrationText text =
      ReadCalibrationText(options.text, LoadTokenizer(options.model),
                          {.length = 512, .max_sequences = kSequences, .held_out = kHeldOut});
  std::printf("calibrating on %zu sequences, %zu held out\n", text.training.size(), text.held_out.size());
  const ModelImportance importance = MeasureImportance(model, text.training, pool, {});
  DenseStream training(model, text.training, pool), held_out(model, text.held_out, pool);
  BlockCovariance covariance, held_out_covariance;
  for (const Layer& layer : kLayers) {
    for (; training.next_block() < layer.block; training.Skip(), held_out.Skip()) {
    }
    if (training.next_block() == layer.block) {
      covariance = training.Next();
      held_out_covariance = held_out.Next();
    }
    const Case test{LinearName(layer.block, layer.kind), model.blocks[layer.block][layer.kind].ToDense(),
                    covariance.For(layer.kind), held_out_covariance.For(layer.kind),
                    importance[layer.block][static_cast<size_t>(layer.kind)]};
    RunCase(test, options, pool);
  }
}

Options ReadOptions(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::function<void(const char*)>> known = {
      {"--bits", [&](const char* text) { options.bits = std::strtod(text, nullptr); }},
      {"--seed", [&](const char* text) { options.seed = std::strtoull(text, nullptr, 10); }},
      {"--all", [&](const char* text) { options.all = std::strtoul(text, nullptr, 10) != 0; }},
      {"--model", [&](const char* text) { options.model = text; }},
      {"--text", [&](const char* text) { options.text.emplace_back(text); }},
  };
  for (int i = 1; i + 1 < argc; i += 2) {
    if (const auto option = known.find(argv[i]); option != known.end()) option->second(argv[i + 1]);
  }
  return options;
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  using namespace addend;
  const Options options = ReadOptions(argc, argv);
  ThreadPool pool(1);
  std::printf("%s kernels of OpenBLAS\n", BlasKernels().c_str());
  try {
    RunCase(GaussianCase(1024, 1024, options.seed), options, pool);
    RunCase(GaussianCase(576, 1536, options.seed), options, pool);
    if (!options.model.empty()) RunModel(options, pool);
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_factorize: %s\n", error.what());
    return 1;
  }
}
