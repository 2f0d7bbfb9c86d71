// `--size`: how a file's bytes are split between the embedding and the linear layers.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>

#include "allocate/allocation.h"
#include "compress/options.h"
#include "model/model.h"

namespace addend {

// At most so many bytes will a file with these ranks and that embedding have: weights, tokenizer, header and
// recipe.
double FileBytes(const Model& dense, const Allocation& allocation, const EmbeddingForm& embedding);

// A form that the embedding could get, and what it costs: the divergence (nats a token) of the original with
// only its embedding in this form.
struct EmbeddingCandidate {
  EmbeddingForm form;
  double divergence = 0;
};
// What is tried of factored embeddings: two rates by factorizing, and all between and a little beyond them.
inline constexpr std::array kMeasuredRates = {1.5, 2.75};
inline constexpr double kBeyondMeasured = 0.5;
// These rates, by a straight line through the logarithms of the measured divergences.
std::vector<EmbeddingCandidate> InterpolateRates(std::span<const EmbeddingCandidate> measured);

struct SizeChoice {
  EmbeddingForm embedding;
  double bits = 0;                  // of the linear layers
  double embedding_divergence = 0;  // forecasts, nats a token
  double linear_divergence = 0;
};

// The largest rate of the linear layers that leaves the file within `bytes`; none when not even the
// least rate does. `losses`: by equal marginal loss; null: the same rate for all.
std::optional<double> LargestBits(const Model& dense, const EmbeddingForm& embedding, const ModelLoss* losses,
                                  double bytes);

// The candidate with the least divergence, its own and the forecast one of the linear layers together.
// `predictions`: of a sequence that the losses were measured on. Throws Error when none fits.
SizeChoice ChooseForSize(const Model& dense, std::span<const EmbeddingCandidate> candidates,
                         const ModelLoss& losses, size_t predictions, AllocationPolicy policy, double bytes);

// Without measuring anything: a common embedding, and what is left for the linear layers. With the embedding
// of `options` where they say one. Throws Error when nothing fits into options.file_bytes, saying what would.
SizeChoice GuessForSize(const Model& dense, const CompressOptions& options);

}  // namespace addend
