// The whole model: embedding, blocks, head. Loss and gradients of sequences; what distillation and the golden
// gradients use.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"
#include "train/train_block.h"
#include "train/train_embedding.h"
#include "train/train_head.h"

namespace addend {

// The targets of next-token prediction within sequences of `length`: the following id, kNoTarget at each
// sequence's end.
std::vector<TokenId> NextTokens(std::span<const TokenId> ids, size_t length);

struct ModelTape {
  std::vector<Matrix> hidden;  // hidden[i] enters block i; hidden[blocks] enters the head
  std::vector<BlockTape> blocks;
};

class TrainModel {
 public:
  explicit TrainModel(const Model& model,
                      Precision precision = Precision::kNear);  // the model must outlive this

  // ids: whole sequences of `length`. Returns what enters the head: tape->hidden.back().
  const Matrix& Forward(std::span<const TokenId> ids, size_t length, ModelTape* tape,
                        Workspace& workspace) const;
  // *dx: gradient of what enters the head; it becomes that of what the embedding gave. The gradients of each
  // block (with those of weights and signs if wanted) are handed over when they are complete, from the last
  // block to the first, so that only one block's exist at a time. The block itself is not needed any more
  // then: its parameters may change.
  using BlockSink = std::function<void(size_t block, const BlockGradients& gradients)>;
  void Backward(const ModelTape& tape, Matrix* dx, bool wants_weights, const BlockSink& sink,
                Workspace& workspace) const;

  std::vector<TrainBlock>& blocks() { return blocks_; }
  const std::vector<TrainBlock>& blocks() const { return blocks_; }
  TrainHead& head() { return head_; }
  const TrainHead& head() const { return head_; }
  const TrainEmbedding& embedding() const { return embedding_; }

 private:
  const Model& model_;
  std::vector<TrainBlock> blocks_;
  TrainHead head_;
  TrainEmbedding embedding_;
};

}  // namespace addend
