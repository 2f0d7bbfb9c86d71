#include "compress/plan.h"

#include <algorithm>
#include <cstdio>

#include "allocate/allocation.h"
#include "base/error.h"
#include "base/progress.h"
#include "compress/dense_source.h"
#include "linalg/gemm.h"
#include "tune/distill.h"

namespace addend {
namespace {

// Of the rate of products alone, what whole passes through the model reach.
constexpr double kShareOfRate = 0.6;

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
      return 1200;
    case Effort::kDefault:
      return 4000;
    case Effort::kBest:
      break;
  }
  return 9000;
}

// A token costs, in products of floats: the head three times (the teacher's logits, the student's, the
// gradient of their input), the gradients of the signs, four sign products, which are about four times as
// fast, and the teacher.
double DistillSeconds(const CompressOptions& options, const ModelConfig& config, const CompressPlan& plan,
                      double rate) {
  if (options.distill_seconds) return *options.distill_seconds;
  if (options.seconds) {
    return std::max(0.0, *options.seconds - plan.statistics_seconds - plan.factorize_seconds);
  }
  const auto weights = static_cast<double>(plan.size.linear_weights);
  const double head = static_cast<double>(config.vocabulary) * static_cast<double>(config.hidden);
  const double of_a_token = 2 * (3 * head + 1.5 * plan.size.linear_bits + weights);
  const double tokens = static_cast<double>(options.Settings().distill_steps) *
                        static_cast<double>(DistillOptions().batch * options.calibration_length);
  return tokens * of_a_token / (kShareOfRate * rate);
}

double Square(size_t x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

}  // namespace

CompressPlan PlanCompression(const Path& source, const CompressOptions& options, ThreadPool& pool) {
  const Model model = LoadDenseModel(source);
  const Allocation allocation = UniformAllocation(model, options.bits);
  const EffortSettings settings = options.Settings();
  CompressPlan plan;
  plan.size = PlannedSize(model, allocation, options.embedding_type);

  const double rate = MeasureRate(pool);
  const ModelConfig& config = model.config;
  const auto weights = static_cast<double>(plan.size.linear_weights);
  const double head = static_cast<double>(config.vocabulary) * static_cast<double>(config.hidden);
  const double covariance =
      static_cast<double>(config.blocks) *
      (2 * Square(config.hidden) + Square(config.q_size()) + Square(config.feed_forward));
  const double tokens = static_cast<double>(settings.statistics_sequences * options.calibration_length);
  // Importance: forward, forward again with activations, backward. Covariance: forward and the products. At
  // kShareOfRate.
  plan.statistics_seconds = tokens * (2 * weights * 4 + 2 * head * 2 + covariance) / (kShareOfRate * rate);

  double factorize = 0, largest_block = 0;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    double block = 0;
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      const double size = static_cast<double>(linear.outputs()) * static_cast<double>(linear.inputs());
      factorize += size * static_cast<double>(allocation.Rank(b, kind));
      block += size;
    }
    largest_block = std::max(largest_block, block);
  }
  plan.factorize_seconds = FactorizeCost(options.effort) * factorize / rate;
  plan.distill_seconds = DistillSeconds(options, config, plan, rate);

  // The most of: hidden states of the calibration text with one block and its covariances, and distillation
  // with the head in float32 and the activations of a step.
  const double width = static_cast<double>(3 * config.hidden + 2 * config.q_size() + 3 * config.feed_forward);
  const double calibrating =
      4 * (tokens * static_cast<double>(config.hidden) + 3 * largest_block + covariance);
  const double step_tokens = 2.0 * static_cast<double>(options.calibration_length);
  const double distilling = 4 * (2 * head + step_tokens * 2.2 * width * static_cast<double>(config.blocks));
  plan.memory_bytes = 150e6 + std::max(calibrating, distilling) + 0.5 * plan.size.total_bits / 8;
  return plan;
}

Json CompressPlan::ToJson() const {
  return {
      {"linear_weights", size.linear_weights},
      {"total_weights", size.total_weights},
      {"linear_bits_per_weight", size.linear_bits / static_cast<double>(size.linear_weights)},
      {"total_bits_per_weight", size.total_bits / static_cast<double>(size.total_weights)},
      {"file_bytes", size.total_bits / 8},
      {"seconds",
       {{"statistics", statistics_seconds}, {"factorize", factorize_seconds}, {"distil", distill_seconds}}},
      {"memory_bytes", memory_bytes}};
}

std::string CompressPlan::ToText() const {
  char text[512];
  std::snprintf(
      text, sizeof text,
      "  linears  %.2f M weights at %.3f bits\n  file     %s, %.3f bits for each of %.2f M weights\n"
      "  time     about %s: statistics %s, factorize %s, distil %s\n  memory   about %s\n",
      static_cast<double>(size.linear_weights) / 1e6,
      size.linear_bits / static_cast<double>(size.linear_weights), SizeText(size.total_bits / 8).c_str(),
      size.total_bits / static_cast<double>(size.total_weights),
      static_cast<double>(size.total_weights) / 1e6,
      DurationText(statistics_seconds + factorize_seconds + distill_seconds).c_str(),
      DurationText(statistics_seconds).c_str(), DurationText(factorize_seconds).c_str(),
      DurationText(distill_seconds).c_str(), SizeText(memory_bytes).c_str());
  return text;
}

}  // namespace addend
