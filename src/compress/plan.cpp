#include "compress/plan.h"

#include <algorithm>
#include <cstdio>

#include "allocate/allocation.h"
#include "base/progress.h"
#include "compress/block_tuner.h"
#include "compress/dense_source.h"
#include "compress/embedding_factorizer.h"
#include "compress/recipe.h"
#include "compress/size_choice.h"
#include "kernels/bf16_product.h"
#include "linalg/gemm.h"
#include "tokenizer/tokenizer.h"
#include "tune/distill.h"

namespace addend {
namespace {

// Of the rate of products alone, what whole passes through the model reach.
constexpr double kShareOfRate = 0.6;
// And what writing text reaches, a token of each sequence at a time.
constexpr double kShareOfRateWriting = 0.25;

// Floating-point operations a second that a product of middling size reaches on all threads.
double MeasureRate(ThreadPool& pool) {
  const Matrix a(512, 1024), b(1024, 1024);
  Matrix c(512, 1024);
  double best = 0;
  for (int i = 0; i < 5; ++i) {  // the first ones wake threads and fault pages in
    const double begin = WallSeconds();
    Gemm(Op::kNone, a, Op::kNone, b, c, pool);
    best = std::max(best, 2.0 * 512 * 1024 * 1024 / (WallSeconds() - begin));
  }
  return best;
}

// Seconds of factorization = this * outputs * inputs * rank / rate. Fitted to SmolLM2 at 1 and 2 bits
// (docs/results.md).
double FactorizeCost(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return 1000;
    case Effort::kDefault:
      return 4000;
    case Effort::kBest:
      break;
  }
  return 9000;
}

double Square(size_t x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

// How many sequences statistics are measured on. Text that is given also takes room in the file.
size_t StatisticsSequences(const CompressOptions& options, const Tokenizer& tokenizer, Model& model) {
  const size_t wanted = options.Settings().statistics_sequences;
  if (options.calibration.empty()) return wanted;
  const CalibrationText text = ReadCalibrationText(options.calibration, tokenizer, options.TextOptions());
  SetFingerprint(FingerprintOf(text, tokenizer), model);
  return std::min(wanted, text.training.size());
}

// What the forecasts below are made of.
struct Work {
  const Model& model;
  const Allocation& allocation;
  const CompressOptions& options;
  size_t sequences;  // that statistics are measured on
  double rate;       // see MeasureRate

  double SequenceTokens() const { return static_cast<double>(options.calibration_length); }
  double StatisticsTokens() const { return static_cast<double>(sequences) * SequenceTokens(); }
  double Head() const {
    return static_cast<double>(model.config.vocabulary) * static_cast<double>(model.config.hidden);
  }
  double BlockWeights(size_t b) const {
    double sum = 0;
    for (const Linear& linear : model.blocks[b].linears) sum += static_cast<double>(linear.size());
    return sum;
  }
  double Weights() const {
    double sum = 0;
    for (size_t b = 0; b < model.blocks.size(); ++b) sum += BlockWeights(b);
    return sum;
  }
  double CovarianceElements() const {
    const ModelConfig& config = model.config;
    return static_cast<double>(config.blocks) *
           (2 * Square(config.hidden) + Square(config.q_size()) + Square(config.feed_forward));
  }
};

double TextSeconds(const Work& work) {
  if (!work.options.calibration.empty()) return 0;
  const CalibrationOptions text = work.options.TextOptions();
  const double tokens = static_cast<double>(text.max_sequences + 2 * text.held_out) * work.SequenceTokens();
  return tokens * 2 * (work.Weights() + work.Head()) / (kShareOfRateWriting * work.rate);
}

// Forward, forward again with activations, backward.
double StatisticsSeconds(const Work& work) {
  const double of_a_token = 2 * work.Weights() * 4 + 2 * work.Head() * 2;
  const double tokens = static_cast<double>(ImportanceSequences(work.sequences)) * work.SequenceTokens();
  return tokens * of_a_token / (kShareOfRate * work.rate);
}

// Once through all blocks for their covariances.
double WalkSeconds(const Work& work) {
  return work.StatisticsTokens() * (2 * work.Weights() + work.CovarianceElements()) /
         (kShareOfRate * work.rate);
}

// All linears at the planned ranks.
double LinearsSeconds(const Work& work, Effort effort) {
  double sum = 0;
  for (size_t b = 0; b < work.model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      sum += static_cast<double>(work.model.blocks[b][kind].size()) *
             static_cast<double>(work.allocation.Rank(b, kind));
    }
  }
  return FactorizeCost(effort) * sum / work.rate;
}

// The walk for its importance, B from some rows, and the sweeps over all rows of A.
double EmbeddingSeconds(const Work& work) {
  const double bits = work.options.Embedding().bits;
  if (!(bits > 0)) return 0;
  constexpr double kSweeps = 50;
  const Model& model = work.model;
  const auto of = [&](const Linear& linear) {
    const auto rank = static_cast<double>(EmbeddingRank(linear, bits));
    const auto n = static_cast<double>(linear.outputs()), m = static_cast<double>(linear.inputs());
    const double fitted = std::min(n, static_cast<double>(kFittedEmbeddingRows) * std::max(rank, m));
    return FactorizeCost(work.options.effort) * fitted * m * rank + 2 * kSweeps * n * rank * rank;
  };
  const double importance = static_cast<double>(ImportanceSequences(work.sequences)) * work.SequenceTokens() *
                            2 * (work.Weights() + work.Head()) / kShareOfRate;
  return (importance + of(model.embedding) + (model.head ? of(*model.head) : 0)) / work.rate;
}

double AllocateSeconds(const Work& work) {
  // Of a factorization of all linears at the effort "fast".
  constexpr double kPilot = 0.35, kAtGenerousRate = 1.6;
  switch (work.options.allocation) {
    case AllocationPolicy::kMarginal:
      return WalkSeconds(work) + kPilot * LinearsSeconds(work, Effort::kFast);
    case AllocationPolicy::kChannels:
      return WalkSeconds(work) + kAtGenerousRate * LinearsSeconds(work, Effort::kFast) +
             0.5 * StatisticsSeconds(work);
    case AllocationPolicy::kUniform:
      break;
  }
  return 0;
}

double FactorizeSeconds(const Work& work) {
  const double walks = work.options.prefix == Prefix::kCompressed ? 5 : 1;
  return walks * WalkSeconds(work) + LinearsSeconds(work, work.options.effort);
}

double BlockTuningSeconds(const Work& work, const CompressPlan& plan) {
  // Four sign products and the gradients of the signs.
  const double tokens =
      static_cast<double>(work.options.block_epochs * kBlockTuningSequences) * work.SequenceTokens();
  return tokens * 2 * 1.5 * plan.size.linear_bits / (kShareOfRate * work.rate);
}

// A token costs, in products of floats: the head three times (the teacher's logits, the student's, the
// gradient of their input), the teacher (unless its sequence was there before), and the gradients of the
// signs where they are trained; all of that twice as fast where there are products in bfloat16. And four sign
// products, which are about four times as fast.
double DistillSeconds(const Work& work, const CompressPlan& plan) {
  const CompressOptions& options = work.options;
  if (options.distill_seconds) return *options.distill_seconds;
  if (options.seconds) return std::max(0.0, *options.seconds - plan.Seconds());
  const double of_signs = options.Settings().train == Training::kAll ? plan.size.linear_bits : 0;
  const double floats = 3 * work.Head() + work.Weights() + of_signs;
  const double of_a_token = 2 * (floats / (HasBf16Product() ? 2 : 1) + 0.5 * plan.size.linear_bits);
  const double tokens =
      static_cast<double>(options.Settings().distill_steps * DistillOptions().batch) * work.SequenceTokens();
  return tokens * of_a_token / (kShareOfRate * work.rate);
}

// The most of: hidden states of the calibration text with one block and its covariances, and distillation
// with the head in float32 and the activations of a step.
double MemoryBytes(const Work& work, const CompressPlan& plan) {
  const ModelConfig& config = work.model.config;
  double largest_block = 0;
  for (size_t b = 0; b < work.model.blocks.size(); ++b) {
    largest_block = std::max(largest_block, work.BlockWeights(b));
  }
  const double calibrating = 4 * (work.StatisticsTokens() * static_cast<double>(config.hidden) +
                                  3 * largest_block + work.CovarianceElements());
  const double width = static_cast<double>(3 * config.hidden + 2 * config.q_size() + 3 * config.feed_forward);
  const double step_tokens = static_cast<double>(DistillOptions().batch) * work.SequenceTokens();
  const double distilling =
      4 * (2 * work.Head() + step_tokens * 2.2 * width * static_cast<double>(config.blocks));
  return 150e6 + std::max(calibrating, distilling) + 0.5 * plan.size.total_bits / 8;
}

}  // namespace

CompressPlan PlanCompression(const Path& source, const CompressOptions& given, ThreadPool& pool) {
  Model model = LoadDenseModel(source);
  const size_t sequences = StatisticsSequences(given, LoadTokenizer(source), model);
  CompressPlan plan;
  CompressOptions options = given;
  if (options.file_bytes) {
    const SizeChoice guess = GuessForSize(model, options);
    plan.guessed_split = true;
    options.bits = guess.bits;
    options.SetEmbedding(guess.embedding);
  }
  const Allocation allocation = UniformAllocation(model, options.bits);
  const Work work{.model = model,
                  .allocation = allocation,
                  .options = options,
                  .sequences = sequences,
                  .rate = MeasureRate(pool)};
  plan.embedding = NameOf(options.Embedding());
  plan.size = PlannedSize(model, allocation, options.Embedding());
  plan.file_bytes = FileBytes(model, allocation, options.Embedding());
  plan.text_seconds = TextSeconds(work);
  plan.statistics_seconds = StatisticsSeconds(work);
  plan.embedding_seconds = EmbeddingSeconds(work);
  plan.allocate_seconds = AllocateSeconds(work);
  plan.factorize_seconds = FactorizeSeconds(work);
  plan.block_tuning_seconds = BlockTuningSeconds(work, plan);
  plan.distill_seconds = DistillSeconds(work, plan);
  plan.memory_bytes = MemoryBytes(work, plan);
  return plan;
}

Json CompressPlan::ToJson() const {
  const auto weights = static_cast<double>(size.total_weights);
  return {{"linear_weights", size.linear_weights},
          {"total_weights", size.total_weights},
          {"linear_bits_per_weight", size.linear_bits / static_cast<double>(size.linear_weights)},
          {"file_bits_per_weight", 8 * file_bytes / weights},
          {"embedding", embedding},
          {"guessed_split", guessed_split},
          {"file_bytes", file_bytes},
          {"seconds",
           {{"text", text_seconds},
            {"statistics", statistics_seconds},
            {"embedding", embedding_seconds},
            {"allocate", allocate_seconds},
            {"factorize", factorize_seconds},
            {"tune blocks", block_tuning_seconds},
            {"distil", distill_seconds}}},
          {"memory_bytes", memory_bytes}};
}

std::string CompressPlan::ToText() const {
  const auto linear_weights = static_cast<double>(size.linear_weights);
  const auto weights = static_cast<double>(size.total_weights);
  char text[320];
  std::snprintf(text, sizeof text,
                "  linears  %.2f M weights at %.3f bits\n"
                "  rest     embedding %s%s\n"
                "  file     %s, %.3f bits for each of %.2f M weights\n",
                linear_weights / 1e6, size.linear_bits / linear_weights, embedding.c_str(),
                guessed_split ? "; both are a guess, the job measures what is best" : "",
                SizeText(file_bytes).c_str(), 8 * file_bytes / weights, weights / 1e6);
  std::string stages;
  const auto add = [&](const char* name, double seconds) {
    if (seconds > 0) stages += (stages.empty() ? "" : ", ") + std::string(name) + " " + DurationText(seconds);
  };
  add("text", text_seconds);
  add("statistics", statistics_seconds);
  add("embedding", embedding_seconds);
  add("allocate", allocate_seconds);
  add("factorize", factorize_seconds);
  add("tune blocks", block_tuning_seconds);
  add("distil", distill_seconds);
  return text + ("  time     about " + DurationText(Seconds())) + ": " + stages + "\n  memory   about " +
         SizeText(memory_bytes) + "\n";
}

}  // namespace addend
