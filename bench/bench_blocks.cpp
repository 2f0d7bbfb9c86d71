// What the settings of block tuning are worth: tunes the blocks of a factorised file one after the other.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_blocks DENSE FILE --text a.txt b.txt [--sequences 64]
//     [--epochs 4] [--batch 1] [--rate 1e-2] [--sign-rate R] [--no-signs] [--length 512] [--seed 1]
//     [-t THREADS] [-o OUT]
// FILE is what `addend compress --distill-time 0` wrote. Columns: block, relative weighted error on held-out
// text before and after, signs changed, seconds since the first. Before and behind them the KL divergence of
// the whole model on held-out text. (A few blocks show as much as all: Ctrl-C.)
#include <cstdio>

#include "base/progress.h"
#include "calibrate/importance.h"
#include "tune/block_tuning.h"
#include "tune/distill.h"
#include "tuning_bench.h"

namespace addend {
namespace {

struct Arguments : TuningArguments {
  BlockTuningOptions tuning;
  size_t sequences = 64, importance_sequences = 16;
};

double Divergence(const Model& student, const Model& dense, const CalibrationText& text, ThreadPool& pool) {
  Model copy = student;
  return Distill(copy, dense, text, {}, pool, {}).curve.front().held_out;
}

void Run(const Arguments& arguments) {
  ThreadPool pool(arguments.threads);
  const Model dense = LoadModel(arguments.dense);
  Model student = LoadModel(arguments.file);
  const CalibrationText text = arguments.ReadText();
  const ModelImportance importance =
      MeasureImportance(dense, SequenceSpan(text.training).first(arguments.importance_sequences), pool, {});
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("KL before: %.4f\n", Divergence(student, dense, text, pool));
  double seconds = 0;
  const auto tune = [&](const BlockTask& task) {
    const double begin = WallSeconds();
    const BlockTuningResult result =
        TuneBlock(dense.config, student.blocks[task.index], task, arguments.tuning, pool);
    seconds += WallSeconds() - begin;
    std::printf("%3zu  %.4f %.4f  %7zu %8.1f\n", task.index, result.before, result.after,
                result.changed_signs, seconds);
  };
  ForEachBlock(student, dense, importance, text, arguments.sequences, pool, tune);
  std::printf("KL after: %.4f\n", Divergence(student, dense, text, pool));
  arguments.Save(student);
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  addend::Arguments arguments;
  CLI::App app;
  arguments.AddTo(app);
  app.add_option("--sequences", arguments.sequences);
  app.add_option("--epochs", arguments.tuning.epochs);
  app.add_option("--batch", arguments.tuning.batch);
  app.add_option("--rate", arguments.tuning.learning_rate);
  app.add_flag("!--no-signs", arguments.tuning.trains_signs);
  app.add_option("--sign-rate", arguments.tuning.sign_learning_rate);
  CLI11_PARSE(app, argc, argv);
  addend::Run(arguments);
}
