// What the settings of the distillation are worth: tunes a factorised file and prints the learning curve.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_distill DENSE FILE --text a.txt b.txt --steps 200
//     [--batch 2] [--rate 1e-2] [--signs] [--sign-rate R] [--length 512] [--sequences 4096] [--seed 1]
//     [--skip 32] [-t THREADS] [-o OUT]
// FILE is what `addend compress --distill-time 0` wrote. Columns: step, seconds, KL on held-out text (nats a
// token).
#include <algorithm>
#include <cstdio>

#include "base/progress.h"
#include "linalg/gemm.h"
#include "tune/distill.h"
#include "tuning_bench.h"

namespace addend {
namespace {

struct Arguments : TuningArguments {
  DistillOptions distill;
  std::ptrdiff_t skip = 0;  // sequences that the factorization has seen
};

void Run(const Arguments& arguments) {
  ThreadPool pool(arguments.threads);
  const Model dense = LoadModel(arguments.dense);
  Model student = LoadModel(arguments.file);
  CalibrationText text = arguments.ReadText();
  std::ranges::rotate(text.training, text.training.begin() + arguments.skip);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("%zu threads, OpenBLAS kernels: %s; %zu sequences of %zu tokens, %zu held out\n", pool.size(),
              BlasKernels().c_str(), text.training.size(), text.length, text.held_out.size());
  const double begin = WallSeconds(), cpu = CpuSeconds();
  const DistillResult result = Distill(student, dense, text, arguments.distill, pool, {});
  for (const DistillPoint& point : result.curve) {
    std::printf("%6zu %8.1f %8.4f\n", point.step, point.seconds, point.held_out);
  }
  std::printf("%.1f s, %.1f CPU s, %zu signs changed\n", WallSeconds() - begin, CpuSeconds() - cpu,
              result.changed_signs);
  arguments.Save(student);
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  addend::Arguments arguments;
  CLI::App app;
  arguments.AddTo(app);
  app.add_option("--steps", arguments.distill.steps)->required();
  app.add_option("--batch", arguments.distill.batch);
  app.add_option("--rate", arguments.distill.learning_rate);
  app.add_flag("--signs", arguments.distill.trains_signs);
  app.add_option("--sign-rate", arguments.distill.sign_learning_rate);
  app.add_option("--sequences", arguments.calibration.max_sequences);
  app.add_option("--skip", arguments.skip);
  CLI11_PARSE(app, argc, argv);
  addend::Run(arguments);
}
