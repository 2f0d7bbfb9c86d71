#include "compress/model_factorizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "calibrate/covariance.h"
#include "calibrate/prefix_stream.h"
#include "compress/stored_results.h"

namespace addend {
namespace {

constexpr size_t kPilotSteps = 15;
constexpr float kCorrectionDamping = 0.1f;
constexpr double kGenerousRate = 1.5;  // of the rate asked for, from which channels are taken away

}  // namespace

ModelFactorizer::ModelFactorizer(const Model& dense, const Model& start, const ModelImportance& importance,
                                 SequenceSpan sequences, const CompressOptions& options,
                                 const WorkFolder& work, ThreadPool& pool, const Progress& progress)
    : dense_(dense),
      start_(start),
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
  DenseStream stream(dense_, sequences_, pool_);
  const auto skip = [&](size_t) { stream.Skip(); };
  WalkBlocks("allocate", done, skip, [&](size_t b) {
    BlockCovariance covariance = stream.Next();
    BlockLoss losses;
    ForLinears(b, kLinearKinds, [&](LinearKind kind) {
      // A short ADMM is enough: what it loses against the real factorization, it loses everywhere alike.
      const FactorizeOptions options{.method = "nanoquant-admm",
                                     .rank = allocation.Rank(b, kind),
                                     .seed = SeedOf(b, kind),
                                     .admm_steps = kPilotSteps};
      const FactorizeResult result =
          FactorizeLinear(options, b, kind, dense_.blocks[b][kind].ToDense(), covariance.For(kind));
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
  const SequenceSpan sequences = sequences_.first(ImportanceSequences(sequences_.size()));
  return MeasureChannelScores(pilot.model, sequences, pool_, progress_);
}

FactorizedModel ModelFactorizer::Factorize(const Allocation& allocation) const {
  return Factorize({"factorize", "", allocation, options_.effort});
}

FactorizedModel ModelFactorizer::Factorize(const Pass& pass) const {
  if (options_.prefix == Prefix::kCompressed) {
    FactorizeInSequence(pass);
  } else {
    FactorizeOnDenseInputs(pass);
  }
  FactorizedModel factorized{.model = start_, .linears = {}};  // shares the stored weights
  for (size_t b = 0; b < dense_.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      FactorizedLinear linear = LinearFrom(work_.Load(NameOf(pass, b, kind)));
      factorized.linears.push_back(linear.report);
      factorized.model.blocks[b][kind].weight = std::move(linear.weight);
    }
  }
  return factorized;
}

void ModelFactorizer::FactorizeOnDenseInputs(const Pass& pass) const {
  DenseStream stream(dense_, sequences_, pool_);
  const auto done = [&](size_t b) { return Done(pass, b, kLinearKinds); };
  const auto skip = [&](size_t) { stream.Skip(); };
  WalkBlocks(pass.stage, done, skip, [&](size_t b) {
    BlockCovariance covariance = stream.Next();
    ForLinears(b, kLinearKinds, [&](LinearKind kind) {
      FactorizeAndSave(pass, b, kind, dense_.blocks[b][kind].ToDense(), covariance.For(kind));
    });
  });
}

void ModelFactorizer::FactorizeInSequence(const Pass& pass) const {
  PrefixStream stream(dense_, start_.embedding, sequences_, pool_);
  const auto work = [&](size_t b) {
    Block block = dense_.blocks[b];
    for (const Site site : kSites) {
      const std::span<const LinearKind> kinds = LinearsOf(site);
      if (!Done(pass, b, kinds)) {
        const SiteMoments moments = stream.Measure(site, block);
        ForLinears(b, kinds, [&](LinearKind kind) {
          const Matrix weight = dense_.blocks[b][kind].ToDense();
          FactorizeAndSave(pass, b, kind, CorrectedWeight(weight, moments, kCorrectionDamping, pool_),
                           moments.covariance);
        });
      }
      for (const LinearKind kind : kinds) {
        block[kind].weight = LinearFrom(work_.Load(NameOf(pass, b, kind))).weight;
      }
    }
    stream.Advance(block);
  };
  WalkBlocks(
      pass.stage, [&](size_t b) { return Done(pass, b, kLinearKinds); }, work, work);
}

std::string ModelFactorizer::NameOf(const Pass& pass, size_t b, LinearKind kind) const {
  return pass.prefix + LinearName(b, kind);
}

bool ModelFactorizer::Done(const Pass& pass, size_t b, std::span<const LinearKind> kinds) const {
  return std::ranges::all_of(kinds, [&](LinearKind kind) { return work_.Has(NameOf(pass, b, kind)); });
}

void ModelFactorizer::FactorizeAndSave(const Pass& pass, size_t b, LinearKind kind, ConstMatrixView weight,
                                       const Matrix& covariance) const {
  const std::string name = NameOf(pass, b, kind);
  if (work_.Has(name)) return;
  const FactorizeOptions options{.method = options_.method,
                                 .effort = pass.effort,
                                 .rank = pass.allocation.Rank(b, kind),
                                 .seed = SeedOf(b, kind)};
  const FactorizeResult result = FactorizeLinear(options, b, kind, weight, covariance);
  work_.Save(name, ToCheckpoint(FactorizedLinear{.weight = result.weight,
                                                 .report = {.name = LinearName(b, kind),
                                                            .outputs = result.weight.outputs(),
                                                            .inputs = result.weight.inputs(),
                                                            .rank = options.rank,
                                                            .bits = Bits(b, kind, options.rank),
                                                            .weighted_error = result.weighted_error,
                                                            .output_error = result.output_error,
                                                            .seconds = result.seconds}}));
}

FactorizeResult ModelFactorizer::FactorizeLinear(const FactorizeOptions& options, size_t b, LinearKind kind,
                                                 ConstMatrixView weight, const Matrix& covariance) const {
  const LinearImportance& importance = importance_[b][static_cast<size_t>(kind)];
  const Matrix correlation = importance.output_correlation.ToDense();
  return addend::Factorize({.weight = weight,
                            .output_importance = importance.output,
                            .input_importance = importance.input,
                            .input_covariance = covariance,
                            .output_correlation = correlation},
                           options, pool_);
}

uint64_t ModelFactorizer::SeedOf(size_t b, LinearKind kind) const {
  return Rng(options_.seed, LinearName(b, kind)).Next();
}

double ModelFactorizer::Bits(size_t b, LinearKind kind, size_t rank) const {
  const Linear& linear = dense_.blocks[b][kind];
  return BitsPerWeight(linear.outputs(), linear.inputs(), rank);
}

// Calls work(block) or, for what is done already, skip(block) in order, up to the last block that is not
// done.
void ModelFactorizer::WalkBlocks(const char* stage, const std::function<bool(size_t)>& done,
                                 const std::function<void(size_t)>& skip,
                                 const std::function<void(size_t)>& work) const {
  const size_t count = dense_.blocks.size();
  size_t end = count;
  while (end > 0 && done(end - 1)) --end;
  for (size_t b = 0; b < end; ++b) {
    ThrowIfInterrupted();
    (done(b) ? skip : work)(b);
    Report(progress_, {stage, static_cast<double>(b + 1), static_cast<double>(count), "blocks"});
  }
}

// Calls work(kind) for linears of a block, in parallel.
void ModelFactorizer::ForLinears(size_t b, std::span<const LinearKind> kinds,
                                 const std::function<void(LinearKind)>& work) const {
  const auto call = [&](LinearKind kind) {
    ThrowIfInterrupted();
    WithContext(LinearName(b, kind), [&] { work(kind); });
  };
  if (kinds.size() == 1) return call(kinds.front());  // which may then use all threads itself
  // The largest first, so that the threads finish together.
  std::vector<LinearKind> sorted(kinds.begin(), kinds.end());
  const auto size = [&](LinearKind kind) { return dense_.blocks[b][kind].size(); };
  std::ranges::stable_sort(sorted, std::greater(), size);
  pool_.For(sorted.size(), [&](size_t i) { call(sorted[i]); });
}

}  // namespace addend
