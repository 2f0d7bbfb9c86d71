// The embedding, and the head where there is one, as factors.
#pragma once
#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/sequences.h"
#include "compress/options.h"
#include "compress/stored_results.h"
#include "model/model.h"

namespace addend {

// How much each token's row matters, and to what: measured on calibration text in the original.
struct EmbeddingImportance {
  std::vector<float> inputs;  // vocabulary: how often a token is read, of all tokens
  std::vector<float> logits;  // vocabulary: mean squared gradients of the logits
  Matrix covariance;          // hidden x hidden: second moments of what the head reads
};
EmbeddingImportance MeasureEmbeddingImportance(const Model& dense, SequenceSpan sequences, ThreadPool& pool,
                                               const Progress& progress);

// Rows that B is fitted to, for each row of B or input, whatever is more (factorize/tall.h).
inline constexpr size_t kFittedEmbeddingRows = 4;

// `linear` is the embedding or the head of a model. What a head does to the loss weighs most, so a tied
// embedding is factorised as the head that it also is, its rows weighted by their logits and by how often
// they are read; a head of its own by the logits alone, an embedding that is no head by the reading alone.
enum class EmbeddingUse { kTied, kEmbedding, kHead };
std::string NameOf(EmbeddingUse use);  // that of the tensor, without ".weight"
FactorizedLinear FactorizeEmbedding(const Linear& linear, EmbeddingUse use,
                                    const EmbeddingImportance& importance, double bits, Effort effort,
                                    uint64_t seed, ThreadPool& pool);

}  // namespace addend
