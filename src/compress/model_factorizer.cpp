#include "compress/model_factorizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "compress/stored_results.h"

namespace addend {
namespace {

constexpr size_t kPilotSteps = 15;
constexpr double kGenerousRate = 1.5;  // of the rate asked for, from which channels are taken away

}  // namespace

ModelFactorizer::ModelFactorizer(const Model& dense, const ModelImportance& importance,
                                 SequenceSpan sequences, const CompressOptions& options,
                                 const WorkFolder& work, ThreadPool& pool, const Progress& progress)
    : dense_(dense),
      importance_(importance),
      sequences_(sequences),
      options_(options),
      work_(work),
      pool_(pool),
      progress_(progress) {}

Allocation ModelFactorizer::Allocate() const {
  switch (options_.allocation) {
    case AllocationPolicy::kMarginal:
      return MarginalAllocation(dense_, PilotLosses(), options_.bits);
    case AllocationPolicy::kChannels:
      return ChannelAllocation(dense_, PilotScores(), options_.bits);
    case AllocationPolicy::kUniform:
      break;
  }
  return UniformAllocation(dense_, options_.bits);
}

ModelLoss ModelFactorizer::PilotLosses() const {
  const Allocation allocation = UniformAllocation(dense_, options_.bits);
  const auto name = [](size_t b) { return "pilot." + std::to_string(b); };
  const auto done = [&](size_t b) { return work_.Has(name(b)); };
  WalkBlocks("allocate", done, [&](size_t b, BlockCovariance& covariance) {
    BlockLoss losses;
    ForLinears(b, [&](LinearKind kind) {
      // A short ADMM is enough: what it loses against the real factorization, it loses everywhere alike.
      const FactorizeOptions options{.method = "nanoquant-admm",
                                     .rank = allocation.Rank(b, kind),
                                     .seed = SeedOf(b, kind),
                                     .admm_steps = kPilotSteps};
      const FactorizeResult result = FactorizeLinear(options, b, kind, covariance.For(kind));
      losses[static_cast<size_t>(kind)] = {.bits = Bits(b, kind, options.rank),
                                           .loss = result.output_error * result.output_energy};
    });
    work_.Save(name(b), ToCheckpoint(losses));
  });
  ModelLoss losses;
  for (size_t b = 0; b < dense_.blocks.size(); ++b) losses.push_back(BlockLossFrom(work_.Load(name(b))));
  return losses;
}

ChannelScores ModelFactorizer::PilotScores() const {
  const double generous = std::min(kMaxBits, kGenerousRate * options_.bits);
  const Allocation allocation = UniformAllocation(dense_, generous);
  const FactorizedModel pilot = Factorize({"allocate", "pilot.", allocation, Effort::kFast});
  return MeasureChannelScores(pilot.model, sequences_, pool_, progress_);
}

FactorizedModel ModelFactorizer::Factorize(const Allocation& allocation) const {
  return Factorize({"factorize", "", allocation, options_.effort});
}

FactorizedModel ModelFactorizer::Factorize(const Pass& pass) const {
  const auto name = [&](size_t b, LinearKind kind) { return pass.prefix + LinearName(b, kind); };
  const auto done = [&](size_t b) {
    return std::all_of(kLinearKinds.begin(), kLinearKinds.end(),
                       [&](LinearKind kind) { return work_.Has(name(b, kind)); });
  };
  WalkBlocks(pass.stage, done, [&](size_t b, BlockCovariance& covariance) {
    ForLinears(b, [&](LinearKind kind) {
      if (work_.Has(name(b, kind))) return;
      const FactorizeOptions options{.method = options_.method,
                                     .effort = pass.effort,
                                     .rank = pass.allocation.Rank(b, kind),
                                     .seed = SeedOf(b, kind)};
      const FactorizeResult result = FactorizeLinear(options, b, kind, covariance.For(kind));
      const FactorizedLinear linear{.weight = result.weight,
                                    .report = {.name = LinearName(b, kind),
                                               .outputs = result.weight.outputs(),
                                               .inputs = result.weight.inputs(),
                                               .rank = options.rank,
                                               .bits = Bits(b, kind, options.rank),
                                               .weighted_error = result.weighted_error,
                                               .output_error = result.output_error,
                                               .seconds = result.seconds}};
      work_.Save(name(b, kind), ToCheckpoint(linear));
    });
  });
  FactorizedModel factorized{.model = dense_, .linears = {}};  // shares the stored weights
  for (size_t b = 0; b < dense_.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      FactorizedLinear linear = LinearFrom(work_.Load(name(b, kind)));
      factorized.linears.push_back(linear.report);
      factorized.model.blocks[b][kind].weight = std::move(linear.weight);
    }
  }
  return factorized;
}

FactorizeResult ModelFactorizer::FactorizeLinear(const FactorizeOptions& options, size_t b, LinearKind kind,
                                                 const Matrix& covariance) const {
  const Matrix weight = dense_.blocks[b][kind].ToDense();
  const LinearImportance& importance = importance_[b][static_cast<size_t>(kind)];
  return addend::Factorize({.weight = weight,
                            .output_importance = importance.output,
                            .input_importance = importance.input,
                            .input_covariance = covariance},
                           options, pool_);
}

uint64_t ModelFactorizer::SeedOf(size_t b, LinearKind kind) const {
  return Rng(options_.seed, LinearName(b, kind)).Next();
}

double ModelFactorizer::Bits(size_t b, LinearKind kind, size_t rank) const {
  const Linear& linear = dense_.blocks[b][kind];
  return BitsPerWeight(linear.outputs(), linear.inputs(), rank);
}

// Calls work(block, covariance) in order for the blocks of the dense model that are not done yet.
void ModelFactorizer::WalkBlocks(const char* stage, const std::function<bool(size_t)>& done,
                                 const std::function<void(size_t, BlockCovariance&)>& work) const {
  DenseStream stream(dense_, sequences_, pool_);
  const size_t count = dense_.blocks.size();
  size_t end = count;  // behind the last that is not done
  while (end > 0 && done(end - 1)) --end;
  for (size_t b = 0; b < end; ++b) {
    ThrowIfInterrupted();
    if (done(b)) {
      stream.Skip();
    } else {
      BlockCovariance covariance = stream.Next();
      work(b, covariance);
    }
    Report(progress_, {stage, static_cast<double>(b + 1), static_cast<double>(count), "blocks"});
  }
}

// Calls work(kind) for the linears of a block in parallel.
void ModelFactorizer::ForLinears(size_t b, const std::function<void(LinearKind)>& work) const {
  // The largest first, so that the threads finish together.
  std::vector<LinearKind> kinds(kLinearKinds.begin(), kLinearKinds.end());
  const auto size = [&](LinearKind kind) {
    return dense_.blocks[b][kind].outputs() * dense_.blocks[b][kind].inputs();
  };
  std::stable_sort(kinds.begin(), kinds.end(), [&](LinearKind x, LinearKind y) { return size(x) > size(y); });
  pool_.For(kinds.size(), [&](size_t i) {
    ThrowIfInterrupted();
    WithContext(LinearName(b, kinds[i]), [&] { work(kinds[i]); });
  });
}

}  // namespace addend
