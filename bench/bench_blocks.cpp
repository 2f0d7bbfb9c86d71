// What the settings of block tuning are worth: tunes the blocks of a factorised file one after the other.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_blocks DENSE FILE --text a.txt b.txt [--sequences 64]
//     [--epochs 4] [--batch 1] [--rate 1e-2] [--sign-rate R] [--no-signs] [--blocks 30] [--length 512]
//     [--seed 1]
//     [-t THREADS] [-o OUT]
// FILE is what `addend compress --distill-time 0` wrote. Columns: block, relative weighted error on held-out
// text before and after, the same on the text that it was tuned on, signs changed, seconds. Then the KL
// divergence of the whole model on held-out text, before and after, when all blocks were tuned.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/progress.h"
#include "calibrate/importance.h"
#include "calibrate/prefix_stream.h"
#include "tune/block_tuning.h"
#include "tune/distill.h"

namespace addend {
namespace {

struct Arguments {
  std::string dense, file, out;
  std::vector<std::string> texts;
  CalibrationOptions calibration;
  BlockTuningOptions tuning;
  size_t sequences = 64, importance_sequences = 16, blocks = SIZE_MAX, threads = 0;
};

double Divergence(const Model& student, const Model& dense, const CalibrationText& text, ThreadPool& pool) {
  Model copy = student;
  return Distill(copy, dense, text, {}, pool, {}).curve.front().held_out;
}

void Run(const Arguments& arguments) {
  ThreadPool pool(arguments.threads);
  const Model dense = LoadModel(arguments.dense);
  Model student = LoadModel(arguments.file);
  const std::vector<Path> paths(arguments.texts.begin(), arguments.texts.end());
  const CalibrationText text =
      ReadCalibrationText(paths, LoadTokenizer(arguments.dense), arguments.calibration);
  const auto begin_of = text.training.begin();
  std::vector<std::vector<TokenId>> sequences(begin_of,
                                              begin_of + static_cast<ptrdiff_t>(arguments.sequences));
  const ModelImportance importance =
      MeasureImportance(dense, SequenceSpan(sequences).first(arguments.importance_sequences), pool, {});
  sequences.insert(sequences.end(), text.held_out.begin(), text.held_out.end());
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("KL before: %.4f\n", Divergence(student, dense, text, pool));

  PrefixStream stream(dense, sequences, pool);
  const size_t tokens = arguments.sequences * text.length, held_out = text.held_out.size() * text.length;
  const size_t count = std::min(arguments.blocks, dense.blocks.size());
  double seconds = 0;
  for (size_t b = 0; b < count; ++b) {
    stream.Advance(student.blocks[b], [&](ConstMatrixView inputs, ConstMatrixView targets) {
      const BlockTask task{.index = b,
                           .length = text.length,
                           .training = {inputs.Rows(0, tokens), targets.Rows(0, tokens)},
                           .held_out = {inputs.Rows(tokens, held_out), targets.Rows(tokens, held_out)},
                           .channel_weights = importance[b][static_cast<size_t>(LinearKind::kDown)].output};
      const double begin = WallSeconds();
      const BlockTuningResult result =
          TuneBlock(dense.config, student.blocks[b], task, arguments.tuning, pool);
      seconds += WallSeconds() - begin;
      std::printf("%3zu  %.4f %.4f  %.4f %.4f  %7zu %8.1f\n", b, result.before, result.after,
                  result.training_before, result.training_after, result.changed_signs, seconds);
    });
  }
  if (count == dense.blocks.size()) std::printf("KL after: %.4f\n", Divergence(student, dense, text, pool));
  if (!arguments.out.empty()) SaveModel(student, arguments.out);
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  addend::Arguments arguments;
  CLI::App app;
  app.add_option("dense", arguments.dense)->required();
  app.add_option("file", arguments.file)->required();
  app.add_option("--text", arguments.texts)->required();
  app.add_option("--sequences", arguments.sequences);
  app.add_option("--epochs", arguments.tuning.epochs);
  app.add_option("--batch", arguments.tuning.batch);
  app.add_option("--rate", arguments.tuning.learning_rate);
  app.add_flag("!--no-signs", arguments.tuning.trains_signs);
  app.add_option("--sign-rate", arguments.tuning.sign_learning_rate);
  app.add_option("--blocks", arguments.blocks);
  app.add_option("--length", arguments.calibration.length);
  app.add_option("--seed", arguments.calibration.seed);
  app.add_option("-t,--threads", arguments.threads);
  app.add_option("-o", arguments.out);
  CLI11_PARSE(app, argc, argv);
  addend::Run(arguments);
}
