// Inference: token ids in, logits out, with a cache of keys and values. Dense and compressed models run
// through the same code; what differs between architectures is read from ModelConfig. Read ForwardBlock
// first.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "kernels/sign_product.h"
#include "model/kv_cache.h"
#include "model/model.h"
#include "model/operation_times.h"
#include "model/rope.h"
#include "model/runnable_embedding.h"
#include "model/runnable_linear.h"
#include "tensor/matrix.h"
#include "tokenizer/token.h"

namespace addend {

enum class LogitRows { kNone, kLast, kAll };

// Tokens that go to the end of one sequence.
struct SequenceTokens {
  std::span<const TokenId> tokens;
  KvCache* cache;
};

// Keeps references to the model and the pool, which must outlive it. One call at a time.
class Transformer {
 public:
  Transformer(const Model& model, ThreadPool& pool, Precision precision = Precision::kNear);

  const ModelConfig& config() const { return config_; }
  ThreadPool& pool() const { return pool_; }

  // From now on adds to `times` what each operation takes; null ends that.
  void MeasureInto(OperationTimes* times) { times_ = times; }

  // Appends `tokens` to the sequence in `cache`; logits: (0, 1 or tokens.size()) x vocabulary.
  // Throws Error, and leaves the cache as it was, for an id outside of the vocabulary or when the cache lacks
  // room.
  void Forward(std::span<const TokenId> tokens, KvCache& cache, LogitRows rows, Matrix& logits);

  // The same up to the final norm; hidden: (number of tokens) x hidden. Several sequences share one pass over
  // the weights; their rows follow one another. A cache may appear once.
  void ForwardHidden(std::span<const SequenceTokens> sequences, Matrix& hidden);
  void ForwardHidden(std::span<const TokenId> tokens, KvCache& cache, Matrix& hidden);

  // From rows of ForwardHidden; logits: rows x vocabulary. All rows of a long text at once take much memory.
  void Logits(ConstMatrixView hidden, MatrixView logits);

 private:
  struct RunnableBlock {
    RunnableBlock(const Block& block, WeightMemory& memory, ThreadPool& pool);
    const Block& norms;
    RunnableLinear q, k, v, o, gate, up, down;
  };
  // Consecutive rows of a batch that belong to one sequence.
  struct Run {
    KvCache* cache;
    size_t first_row, rows;
    size_t first_position;
  };

  void Check(std::span<const SequenceTokens> sequences) const;
  void RunBatch(std::span<const TokenId> tokens, std::span<const Run> runs, MatrixView hidden);
  void Embed(std::span<const TokenId> tokens);
  void ForwardBlock(size_t index, std::span<const Run> runs);
  void ProjectQueriesKeysValues(const RunnableBlock& block);
  void NormHeads(std::span<const float> gain, Matrix& heads);
  void RotateAndStore(size_t index, std::span<const Run> runs);
  void Attend(size_t index, std::span<const Run> runs);
  template <typename T>
  void AttendRun(size_t index, const Run& run);
  void FeedForward(const RunnableBlock& block);
  void MultiplyByGate();
  void AddUpdate(std::span<const float> post_norm);

  struct Product {
    const RunnableLinear& linear;
    Matrix& y;
  };
  void Apply(Operation operation, const Matrix& x, std::initializer_list<Product> products);
  void Norm(ConstMatrixView x, std::span<const float> gain, MatrixView y);

  const Model& model_;
  const ModelConfig& config_;
  ThreadPool& pool_;
  const Precision precision_;
  OperationTimes* times_ = nullptr;
  WeightMemory weights_;
  std::vector<std::unique_ptr<const RunnableBlock>> blocks_;
  RunnableEmbedding embedding_;
  RunnableLinear head_;
  RopeTable rope_, sliding_rope_;

  // Activations of the current batch, one row for each token. Kept between calls: no allocation for each
  // token.
  Matrix stream_;  // the residual stream
  Matrix normed_;  // its norm: input of the projections
  Matrix q_, k_, v_;
  Matrix attended_;  // attention's result, before o
  Matrix gate_, up_;
  Matrix update_;  // what attention or feed-forward adds to the stream
  Matrix hidden_;  // Forward's
};

}  // namespace addend
