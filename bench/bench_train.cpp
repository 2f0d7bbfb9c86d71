// One training step (forward, KL divergence from a teacher, backward) of a model of SmolLM2-135M's shapes
// with random weights, dense and with random factors, and what its parts take.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_train [--tokens 512] [--threads 2] [--bits 1]
//   [--rounds 5]
// Times are the least of the rounds: CPU of all threads over their number, which another load does not
// disturb as it does the wall clock, and wall clock. GFLOP count multiply-adds twice, for signs as for
// floats; "peak" is the speed of a 1024^3 product on each thread at once. The step itself contains every part
// once for each block.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/random.h"
#include "kernels/target.h"
#include "linalg/gemm.h"
#include "model/synthetic_model.h"
#include "train/rms_norm.h"
#include "train/train_model.h"

namespace addend {
namespace {

struct Options {
  size_t tokens = 512, threads = 2, rounds = 5;
  double bits = 1;
};

struct Seconds {
  double cpu = 1e30, wall = 1e30;
};

Options options;

Seconds Measure(const std::function<void()>& work) {
  Seconds least;
  work();  // warms caches and allocates
  for (size_t round = 0; round < options.rounds; ++round) {
    const double cpu = CpuSeconds(), wall = WallSeconds();
    work();
    least.cpu = std::min(least.cpu, (CpuSeconds() - cpu) / static_cast<double>(options.threads));
    least.wall = std::min(least.wall, WallSeconds() - wall);
  }
  return least;
}

double peak = 0;  // GFLOP/s of all threads

void Print(const std::string& name, Seconds seconds, double gigaflop) {
  std::printf("  %-34s %8.1f %8.1f", name.c_str(), 1e3 * seconds.cpu, 1e3 * seconds.wall);
  if (gigaflop > 0) {
    const double speed = gigaflop / seconds.cpu;
    std::printf(" %9.2f %9.0f %8.0f %%", gigaflop, speed, 100 * speed / peak);
  }
  std::printf("\n");
}

Matrix RandomMatrix(Rng& rng, size_t rows, size_t cols, float scale) {
  Matrix m(rows, cols);
  for (float& value : m.values()) value = scale * rng.Normal();
  return m;
}

Linear RandomLinear(Rng& rng, size_t outputs, size_t inputs, bool factored) {
  const float scale = 1 / std::sqrt(static_cast<float>(inputs));
  if (!factored)
    return {StoredMatrix::FromFloats(RandomMatrix(rng, outputs, inputs, scale), DType::kF16), {}};
  const size_t rank = RankForBits(outputs, inputs, options.bits);
  FactoredWeight factors;
  factors.A = SignMatrix::FromDense(RandomMatrix(rng, outputs, rank, 1));
  factors.B = SignMatrix::FromDense(RandomMatrix(rng, rank, inputs, 1));
  factors.a.assign(outputs, 1.0f);
  factors.mid.assign(rank, scale / std::sqrt(static_cast<float>(rank)));
  factors.b.assign(inputs, 1.0f);
  return {std::move(factors), {}};
}

// One random block, used for all.
Model RandomModel(bool factored) {
  Rng rng(20240611);
  Model model;
  model.config = ShapeNamed("smollm2-135m");
  const size_t hidden = model.config.hidden, wide = model.config.feed_forward;
  Block block;
  for (const LinearKind kind : kLinearKinds) {
    const bool key_value = kind == LinearKind::kK || kind == LinearKind::kV;
    const bool widens = kind == LinearKind::kGate || kind == LinearKind::kUp;
    const size_t outputs = key_value ? model.config.kv_size() : widens ? wide : hidden;
    block[kind] = RandomLinear(rng, outputs, kind == LinearKind::kDown ? wide : hidden, factored);
  }
  block.attention_norm.assign(hidden, 1.0f);
  block.feed_forward_norm.assign(hidden, 1.0f);
  model.blocks.assign(model.config.blocks, block);
  model.final_norm.assign(hidden, 1.0f);
  model.embedding.weight =
      StoredMatrix::FromFloats(RandomMatrix(rng, model.config.vocabulary, hidden, 0.05f), DType::kF16);
  return model;
}

double LinearGigaflop(const Model& model) {
  double weights = 0;
  for (const Linear& linear : model.blocks[0].linears) {
    const auto* factors = std::get_if<FactoredWeight>(&linear.weight);
    weights += static_cast<double>(factors != nullptr ? factors->rank() * (linear.outputs() + linear.inputs())
                                                      : linear.outputs() * linear.inputs());
  }
  return 2e-9 * weights * static_cast<double>(options.tokens * model.config.blocks);
}

void MeasurePeak() {
  std::vector<Matrix> a(options.threads, Matrix(1024, 1024)), c = a;
  ThreadPool pool(options.threads);
  const Seconds seconds = Measure([&] {
    pool.For(options.threads, [&](size_t i) { Gemm(Op::kNone, a[i], Op::kNone, a[i], c[i], pool); });
  });
  peak = 2e-9 * static_cast<double>(options.threads << 30) / seconds.cpu;
  std::printf("%zu tokens, %zu threads, OpenBLAS %s, sign kernels %s, peak %.0f GFLOP/s\n", options.tokens,
              options.threads, BlasKernels().c_str(), std::string(Name(CurrentTarget())).c_str(), peak);
}

// The parts of all blocks by themselves.
class Parts {
 public:
  Parts(const Model& model, Workspace& workspace)
      : config_(model.config), block_(model.config, model.blocks[0], 0), workspace_(workspace) {
    Rng rng(1);
    for (const size_t width : {config_.hidden, config_.kv_size(), config_.feed_forward}) {
      inputs_[width] = RandomMatrix(rng, options.tokens, width, 1);
      outputs_[width] = inputs_[width];
    }
    gradients_ = block_.MakeGradients();
  }

  void Run(double linear_gigaflop) {
    Time("linears, forward", linear_gigaflop, [&] {
      for (const LinearKind kind : kLinearKinds) {
        const TrainLinear& linear = block_.linear(kind);
        linear.Forward(inputs_[linear.inputs()], outputs_[linear.outputs()], &tape_.linears[Index(kind)],
                       workspace_);
      }
    });
    Time("linears, backward", linear_gigaflop, [&] {
      for (const LinearKind kind : kLinearKinds) {
        const TrainLinear& linear = block_.linear(kind);
        linear.Backward(inputs_[linear.inputs()], inputs_[linear.outputs()], tape_.linears[Index(kind)],
                        outputs_[linear.inputs()], &gradients_[kind], workspace_);
      }
    });
    RunAttention();
    const Matrix& x = inputs_[config_.hidden];
    const std::vector<float> gain(config_.hidden, 1.0f);
    std::vector<float> d_gain = gain;
    Time("2 norms, forward", 0, [&] {
      for (int i = 0; i < 2; ++i) RmsNorm(x, gain, 1e-5f, outputs_[config_.hidden], workspace_);
    });
    Time("2 norms, backward", 0, [&] {
      for (int i = 0; i < 2; ++i) {
        RmsNormBackward(x, gain, 1e-5f, x, outputs_[config_.hidden], d_gain, workspace_);
      }
    });
  }

 private:
  static size_t Index(LinearKind kind) { return static_cast<size_t>(kind); }

  // Multiply-adds of the scores that are not masked: 2 products forward, 5 backward.
  void RunAttention() {
    const AttentionShape shape{
        config_.heads, config_.kv_heads, config_.head_dim, options.tokens, 0, 0.125f, 0};
    const Matrix &q = inputs_[config_.q_size()], &k = inputs_[config_.kv_size()];
    Matrix out(options.tokens, q.cols()), log_sum_exp(options.tokens, config_.heads), d_q = q, d_k = k,
                                                                                      d_v = k;
    const double product =
        1e-9 * static_cast<double>(options.tokens * options.tokens * q.cols() * config_.blocks);
    Time("attention, forward", 2 * product, [&] {
      AttentionForward(shape, {q, k, k}, out, log_sum_exp, workspace_);
    });
    Time("attention, backward", 5 * product, [&] {
      AttentionBackward(shape, {q, k, k}, out, log_sum_exp, q, {d_q, d_k, d_v}, workspace_);
    });
  }

  void Time(const char* name, double gigaflop, const std::function<void()>& one_block) {
    Print(name, Measure([&] {
            for (size_t i = 0; i < config_.blocks; ++i) one_block();
          }),
          gigaflop);
  }

  const ModelConfig& config_;
  TrainBlock block_;
  Workspace& workspace_;
  std::map<size_t, Matrix> inputs_, outputs_;  // by width
  BlockTape tape_;
  BlockGradients gradients_;
};

double TapeMegabytes(const BlockTape& tape) {
  size_t floats = tape.log_sum_exp.size() + tape.attended.size() + tape.middle.size();
  for (const LinearTape& linear : tape.linears) floats += linear.hidden.size() + linear.output.size();
  return 4e-6 * static_cast<double>(floats);
}

void RunStep(const char* name, bool factored, Workspace& workspace) {
  const Model model = RandomModel(factored);
  const double linears = LinearGigaflop(model);
  const double head =
      2e-9 * static_cast<double>(model.config.vocabulary * model.config.hidden * options.tokens);
  const double attention = 7e-9 *
                           static_cast<double>(options.tokens * options.tokens * model.config.q_size()) *
                           static_cast<double>(model.config.blocks);
  TrainModel train(model);
  ModelTape tape;
  HeadGradients gradients = train.head().MakeGradients();
  Matrix dx;
  Rng rng(3);
  std::vector<TokenId> ids(options.tokens);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng.Below(model.config.vocabulary));
  const Matrix teacher = RandomMatrix(rng, options.tokens, model.config.hidden, 1);

  std::printf("%s%28s %8s %8s %9s %9s %10s\n", name, "", "cpu ms", "wall ms", "GFLOP", "GFLOP/s", "of peak");
  Parts(model, workspace).Run(linears);
  train.Forward(ids, options.tokens, &tape, workspace);
  const auto loss = [&] {
    train.head().KlDivergence(tape.hidden.back(), teacher, train.head(), &dx, &gradients, workspace);
  };
  Print("head and divergence", Measure(loss), 3 * head);
  Print("the whole step", Measure([&] {
          train.Forward(ids, options.tokens, &tape, workspace);
          loss();
          train.Backward(
              tape, &dx, /*wants_weights=*/false, [](size_t, const BlockGradients&) {}, workspace);
        }),
        2 * linears + attention + 3 * head);
  std::printf("  the tape of a block takes %.1f MB\n", TapeMegabytes(tape.blocks[0]));
}

void ReadOptions(int argc, char** argv) {
  const std::map<std::string, std::function<void(const char*)>> known = {
      {"--tokens", [](const char* text) { options.tokens = std::strtoul(text, nullptr, 10); }},
      {"--threads", [](const char* text) { options.threads = std::strtoul(text, nullptr, 10); }},
      {"--rounds", [](const char* text) { options.rounds = std::strtoul(text, nullptr, 10); }},
      {"--bits", [](const char* text) { options.bits = std::strtod(text, nullptr); }},
  };
  for (int i = 1; i + 1 < argc; i += 2) {
    if (const auto option = known.find(argv[i]); option != known.end()) option->second(argv[i + 1]);
  }
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  using namespace addend;
  ReadOptions(argc, argv);
  MeasurePeak();
  ThreadPool pool(options.threads);
  Workspace workspace(pool);
  RunStep("dense   ", false, workspace);
  RunStep("factored", true, workspace);
}
