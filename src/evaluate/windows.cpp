#include "evaluate/windows.h"

#include <algorithm>

#include "base/interrupt.h"

namespace addend {
namespace {

// Short windows share a batch, so that a pass over the weights serves many tokens.
constexpr size_t kBatchTokens = 512;
// Of logits held at a time, for each model.
constexpr size_t kLogitBytes = size_t{64} << 20;

// Windows first .. first + count - 1 through one model; hidden: one row for each token.
void Run(Transformer& model, std::span<const std::vector<TokenId>> windows, std::span<KvCache> caches,
         Matrix& hidden) {
  std::vector<SequenceTokens> sequences;
  for (size_t i = 0; i < windows.size(); ++i) {
    caches[i].Truncate(0);
    sequences.push_back({windows[i], &caches[i]});
  }
  model.ForwardHidden(sequences, hidden);
}

}  // namespace

std::vector<TokenId> Windows::Window(size_t index) const {
  const auto part = tokens.subspan(index * size, size);
  std::vector<TokenId> window(part.begin(), part.end());
  if (first_token) window.front() = *first_token;
  return window;
}

void PredictWindows(std::span<Transformer* const> models, const Windows& windows, size_t first_position,
                    const std::function<void(const Predictions&)>& score,
                    const std::function<void(size_t windows_done)>& batch_done) {
  const size_t together =
      std::clamp<size_t>(kBatchTokens / windows.size, 1, std::max<size_t>(windows.count(), 1));
  const size_t vocabulary = models[0]->config().vocabulary;
  const size_t piece_rows = std::clamp<size_t>(kLogitBytes / (vocabulary * sizeof(float)), 1, windows.size);

  std::vector<std::vector<KvCache>> caches(models.size());
  for (size_t m = 0; m < models.size(); ++m) {
    for (size_t i = 0; i < together; ++i) {
      caches[m].emplace_back(models[m]->config(), windows.size, windows.kv_type);
    }
  }
  std::vector<Matrix> hidden(models.size()), logits(models.size());
  for (size_t first = 0; first < windows.count(); first += together) {
    ThrowIfInterrupted();
    std::vector<std::vector<TokenId>> batch;
    for (size_t w = first; w < std::min(first + together, windows.count()); ++w)
      batch.push_back(windows.Window(w));
    for (size_t m = 0; m < models.size(); ++m) Run(*models[m], batch, caches[m], hidden[m]);

    for (size_t i = 0; i < batch.size(); ++i) {
      for (size_t position = first_position; position < windows.size; position += piece_rows) {
        const size_t rows = std::min(piece_rows, windows.size - position);
        for (size_t m = 0; m < models.size(); ++m) {
          logits[m].Reshape(rows, vocabulary);
          models[m]->Logits(hidden[m].view().Rows(i * windows.size + position - 1, rows), logits[m]);
        }
        score({first + i, position, std::span<const TokenId>(batch[i]).subspan(position, rows), logits});
      }
    }
    batch_done(first + batch.size());
  }
}

}  // namespace addend
