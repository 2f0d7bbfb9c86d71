#include "compress/embedding_stage.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "compress/dense_source.h"
#include "compress/stored_results.h"
#include "evaluate/perplexity.h"
#include "model/transformer.h"

namespace addend {
namespace {

constexpr size_t kCandidateSequences = 4;
constexpr double kCandidates = kEmbeddingTypes.size() + kMeasuredRates.size();

// Calls work(use, linear) for the embedding, and for the head where there is one.
template <typename Work>
void ForEmbeddings(Model& model, Work&& work) {
  work(model.head ? EmbeddingUse::kEmbedding : EmbeddingUse::kTied, model.embedding);
  if (model.head) work(EmbeddingUse::kHead, *model.head);
}

}  // namespace

void CheckEmbedding(const Model& dense, const EmbeddingForm& form, ThreadPool& pool) {
  if (form.factored()) {
    EmbeddingRank(dense.embedding, form.bits);
    if (dense.head) EmbeddingRank(*dense.head, form.bits);
  } else {
    // The search only chooses among what can be stored.
    WithNarrowEmbedding(dense, form.type, pool, Rounding::kReference);
  }
}

EmbeddingStage::EmbeddingStage(const Model& dense, SequenceSpan sequences, const CompressOptions& options,
                               const WorkFolder& work, ThreadPool& pool, const Progress& progress)
    : dense_(dense),
      sequences_(sequences),
      options_(options),
      work_(work),
      pool_(pool),
      progress_(progress) {}

std::vector<EmbeddingCandidate> EmbeddingStage::Candidates(SequenceSpan held_out) {
  const SequenceSpan some = held_out.first(std::min(kCandidateSequences, held_out.size()));
  double done = 0;
  const auto measured = [&](const EmbeddingForm& form, const Model& embedded) {
    const double divergence = Divergence(embedded, some);
    Report(progress_, {"size", ++done, kCandidates, NameOf(form)});
    return EmbeddingCandidate{form, std::max(divergence, 1e-6)};  // the logarithm is taken of it
  };
  std::vector<EmbeddingCandidate> candidates, factored;
  for (const DType type : kEmbeddingTypes)
    candidates.push_back(measured({.type = type}, WithNarrowEmbedding(dense_, type, pool_)));
  for (const double bits : kMeasuredRates) factored.push_back(measured({.bits = bits}, Factored(bits)));
  std::ranges::copy(InterpolateRates(factored), std::back_inserter(candidates));
  return candidates;
}

EmbeddedModel EmbeddingStage::ToForm(const EmbeddingForm& form) {
  if (!form.factored()) return {WithNarrowEmbedding(dense_, form.type, pool_), {}};
  EmbeddedModel embedded{dense_, {}};
  ForEmbeddings(embedded.model, [&](EmbeddingUse use, Linear& linear) {
    embedded.embeddings.push_back(Factor(use, form.bits, linear));
  });
  return embedded;
}

LinearReport EmbeddingStage::Factor(EmbeddingUse use, double bits, Linear& linear) {
  const std::string name = NameOf(use);
  if (!work_.Has(name)) {
    work_.Save(name, ToCheckpoint(FactorizeEmbedding(linear, use, Importance(), bits, options_.effort,
                                                     options_.seed, pool_)));
  }
  FactorizedLinear factorized = LinearFrom(work_.Load(name));
  linear.weight = std::move(factorized.weight);
  return factorized.report;
}

// Quickly, and not kept: to find out what it would cost.
Model EmbeddingStage::Factored(double bits) {
  Model model = dense_;
  ForEmbeddings(model, [&](EmbeddingUse use, Linear& linear) {
    linear.weight =
        FactorizeEmbedding(linear, use, Importance(), bits, Effort::kFast, options_.seed, pool_).weight;
  });
  return model;
}

double EmbeddingStage::Divergence(const Model& embedded, SequenceSpan held_out) const {
  Transformer original(dense_, pool_), other(embedded, pool_);
  const size_t length = SequenceLength(held_out);
  return addend::Divergence(original, other, Flatten(held_out), {.window = length}, {}).hf.kl.mean();
}

const EmbeddingImportance& EmbeddingStage::Importance() {
  if (!importance_) {
    const SequenceSpan some = sequences_.first(ImportanceSequences(sequences_.size()));
    importance_ = MeasureEmbeddingImportance(dense_, some, pool_, progress_);
  }
  return *importance_;
}

}  // namespace addend
