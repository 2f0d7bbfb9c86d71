// Perplexity, and the divergence of one model from another, under the two protocols that the field uses. Both
// cut the tokens of a text into windows of c that do not overlap, and start each without context.
//
// hf: all c - 1 predictions of each window count (Hugging Face's and most papers' way).
//
// llama.cpp: only the predictions of the tokens at positions c/2 .. c-1 count, so that each has context.
// Where the tokenizer asks for a BOS, it takes the place of each window's first token. (The program
// llama-perplexity starts one prediction later, at position c/2 + 1.)
//
// Perplexities under different protocols, or with different c, cannot be compared.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "evaluate/statistics.h"
#include "model/transformer.h"
#include "tokenizer/token.h"

namespace addend {

struct PerplexityOptions {
  size_t window = 512;         // c
  size_t max_tokens = 0;       // only the first so many; 0 = all
  std::optional<TokenId> bos;  // when the tokenizer asks for one (llama.cpp protocol)
  DType kv_type = DType::kF16;
};

struct ProtocolScore {
  explicit ProtocolScore(size_t predictions_per_window) : negative_log_likelihood(predictions_per_window) {}

  WindowedMean negative_log_likelihood;  // in nats

  double Perplexity() const;
  // Standard errors of the perplexity: from all predictions, as llama.cpp prints it, and from the spread
  // between windows.
  double StandardError() const;
  double WindowStandardError() const;
  // 95 %, from the spread between windows: the exponential of the interval of the mean logarithm, so it
  // reaches further up than down. None for fewer than two windows.
  std::optional<Interval> PerplexityInterval() const;
};

struct PerplexityResult {
  explicit PerplexityResult(size_t window_tokens)
      : window(window_tokens), hf(window - 1), llama_cpp(window - window / 2) {}

  size_t window;
  size_t windows = 0;  // finished
  ProtocolScore hf, llama_cpp;
};

// One pass over the text gives both protocols (with a BOS, two passes: the windows differ). Throws Error when
// the text is shorter than a window, and naming model, window and position when a prediction is not a finite
// number; Interrupted on request.
PerplexityResult Perplexity(Transformer& model, std::span<const TokenId> tokens,
                            const PerplexityOptions& options, const Progress& progress);

struct ProtocolDivergence {
  explicit ProtocolDivergence(size_t predictions_per_window)
      : kl(predictions_per_window), same_top(predictions_per_window), log_ratio(predictions_per_window) {}

  WindowedMean kl;        // KL(reference || other), in nats
  WindowedMean same_top;  // 1 where both find the same token most likely, else 0
  // log p(reference) - log p(other) of what came, in nats. Both models find the same places hard, so these
  // differences spread far less than either model's own logarithms.
  WindowedMean log_ratio;
  std::vector<float> kl_values;  // of each prediction

  // Of `kl_values`, `share` from 0 to 1 of which are below it; 0.5 is the median.
  double KlQuantile(double share) const;
  // perplexity(other) / perplexity(reference), and its interval as that of a perplexity.
  double PerplexityRatio() const;
  std::optional<Interval> PerplexityRatioInterval() const;
};

struct DivergenceResult {
  explicit DivergenceResult(size_t window)
      : reference(window), other(window), hf(window - 1), llama_cpp(window - window / 2) {}

  PerplexityResult reference, other;
  ProtocolDivergence hf, llama_cpp;
};

// Runs both models over the same windows side by side, in one pass like Perplexity's, and keeps no logits:
// eight bytes for each prediction, and the windows at work.
// Throws Error when their vocabularies differ in size, and as Perplexity does.
DivergenceResult Divergence(Transformer& reference, Transformer& other, std::span<const TokenId> tokens,
                            const PerplexityOptions& options, const Progress& progress);

}  // namespace addend
