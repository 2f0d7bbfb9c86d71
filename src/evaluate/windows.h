// A long text cut into windows, run through one or more models, and the logits in pieces of bounded size.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/transformer.h"
#include "tokenizer/token.h"

namespace addend {

// Consecutive windows of equal size that do not overlap; what is left at the end is not used.
struct Windows {
  std::span<const TokenId> tokens;
  size_t size = 512;
  std::optional<TokenId> first_token;  // stands in place of each window's own first token
  DType kv_type = DType::kF16;

  size_t count() const { return tokens.size() / size; }
  std::vector<TokenId> Window(size_t index) const;
};

// Predictions of consecutive tokens of one window, by each model.
struct Predictions {
  size_t window = 0;
  size_t first_position = 0;         // in the window, of targets[0]
  std::span<const TokenId> targets;  // what comes
  std::span<const Matrix> logits;    // by model; row i predicts targets[i]
};

// Calls `score` for all windows in order, and within each for its positions from `first_position` (>= 1) on
// in order. All models must have one vocabulary. Memory: the logits of a piece, and the keys and values of
// the windows that run together. Between batches of windows calls `batch_done` with the number of windows
// finished, and leaves by Interrupted when the user asks.
void PredictWindows(std::span<Transformer* const> models, const Windows& windows, size_t first_position,
                    const std::function<void(const Predictions&)>& score,
                    const std::function<void(size_t windows_done)>& batch_done);

}  // namespace addend
