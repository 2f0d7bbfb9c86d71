#include "compress/embedding_factorizer.h"

#include <algorithm>
#include <numeric>

#include "base/interrupt.h"
#include "base/random.h"
#include "calibrate/covariance.h"
#include "compress/dense_source.h"
#include "factorize/factorize.h"
#include "linalg/gemm.h"
#include "model/tensor_list.h"
#include "train/train_head.h"

namespace addend {
namespace {

// Of the mean, what every row gets: text for calibration is short beside a vocabulary.
constexpr float kFloor = 0.1f;
// Of the identity in the metric, for each mean diagonal element of the covariance (docs/results.md).
constexpr float kIdentityShare = 5, kIdentityShareOfHead = 1;

// With the mean 1, so that what is added up counts alike.
std::vector<float> Normalised(std::vector<float> values) {
  const float mean = std::accumulate(values.begin(), values.end(), 0.0f) / static_cast<float>(values.size());
  for (float& value : values) value = mean > 0 ? value / mean : 1;
  return values;
}

std::vector<float> RowWeights(EmbeddingUse use, const EmbeddingImportance& importance) {
  std::vector<float> weights(importance.logits.size(), kFloor);
  const auto add = [&](const std::vector<float>& values) {
    const std::vector<float> normalised = Normalised(values);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] += normalised[i];
  };
  if (use != EmbeddingUse::kEmbedding) add(importance.logits);
  if (use != EmbeddingUse::kHead) add(importance.inputs);
  return weights;
}

// What the input of the head is like; with a share of the identity for the embedding that a tied one also is,
// and for what calibration has not seen.
Matrix Metric(EmbeddingUse use, const Matrix& covariance) {
  if (use == EmbeddingUse::kEmbedding) return {};
  const float share = use == EmbeddingUse::kTied ? kIdentityShare : kIdentityShareOfHead;
  Matrix metric = covariance;
  double trace = 0;
  for (size_t j = 0; j < metric.rows(); ++j) trace += metric(j, j);
  for (size_t j = 0; j < metric.rows(); ++j)
    metric(j, j) += share * static_cast<float>(trace / static_cast<double>(metric.rows()));
  return metric;
}

}  // namespace

std::string NameOf(EmbeddingUse use) {
  return std::string(use == EmbeddingUse::kHead ? GgufNames().head : GgufNames().embedding);
}

EmbeddingImportance MeasureEmbeddingImportance(const Model& dense, SequenceSpan sequences, ThreadPool& pool,
                                               const Progress& progress) {
  const std::vector<TokenId> ids = Flatten(sequences);
  EmbeddingImportance importance;
  importance.inputs.resize(dense.config.vocabulary);
  for (const TokenId id : ids) importance.inputs[id] += 1 / static_cast<float>(ids.size());

  DenseStream stream(dense, sequences, pool, Precision::kNear);
  for (size_t b = 0; b < dense.blocks.size(); ++b) {
    ThrowIfInterrupted();
    stream.Skip();
    Report(progress,
           {"embedding", static_cast<double>(b + 1), static_cast<double>(dense.blocks.size()), "blocks"});
  }
  const TrainHead head(dense, Precision::kNear);
  Workspace workspace(pool);
  importance.logits = head.LogitImportance(stream.Hidden(), workspace);
  importance.covariance = Matrix(dense.config.hidden, dense.config.hidden);
  AddGram(head.Normed(stream.Hidden(), workspace), 1 / static_cast<float>(ids.size()), importance.covariance,
          pool);
  return importance;
}

FactorizedLinear FactorizeEmbedding(const Linear& linear, EmbeddingUse use,
                                    const EmbeddingImportance& importance, double bits, Effort effort,
                                    uint64_t seed, ThreadPool& pool) {
  const std::string name = NameOf(use);
  const Matrix weight = linear.ToDense();
  const std::vector<float> rows = RowWeights(use, importance);
  const size_t rank = EmbeddingRank(linear, bits);
  const Matrix metric = Metric(use, importance.covariance);
  const FactorizeResult result =
      Factorize({.weight = weight,
                 .output_importance = rows,
                 .input_importance = {},
                 .input_covariance = metric.empty() ? ConstMatrixView() : ConstMatrixView(metric)},
                {.effort = effort,
                 .rank = rank,
                 .seed = Rng(seed, name).Next(),
                 .fitted_rows = kFittedEmbeddingRows * std::max(rank, linear.inputs())},
                pool);
  return {.weight = result.weight,
          .report = {.name = name,
                     .outputs = linear.outputs(),
                     .inputs = linear.inputs(),
                     .rank = rank,
                     .bits = BitsPerWeight(linear.outputs(), linear.inputs(), rank),
                     .weighted_error = result.weighted_error,
                     .output_error = result.output_error,
                     .seconds = result.seconds}};
}

}  // namespace addend
