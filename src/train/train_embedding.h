// The embedding in training: the rows of tokens and, of a factored embedding, the gradients of its scales. A
// dense one does not train.
#pragma once
#include <span>
#include <vector>

#include "model/model.h"
#include "model/runnable_embedding.h"
#include "tokenizer/token.h"
#include "train/train_linear.h"
#include "train/workspace.h"

namespace addend {

// Rows of an embedding, scaled as the config wants them. x: (ids.size(), hidden). Throws Error for an id past
// the vocabulary.
void Embed(const Linear& embedding, const ModelConfig& config, std::span<const TokenId> ids, MatrixView x,
           ThreadPool& pool);

class TrainEmbedding {
 public:
  // `tied`: the factored head whose scales these are too, or null. Both must outlive this.
  TrainEmbedding(const Model& model, TrainLinear* tied);
  TrainEmbedding(TrainEmbedding&&) = default;
  TrainEmbedding(const TrainEmbedding&) = delete;  // the spans below show its own vectors

  // As Embed, with the scales as they are now.
  void Forward(std::span<const TokenId> ids, MatrixView x, Workspace& workspace) const;
  // Adds the gradients of a, mid and b to *gradient; dx: that of what Forward gave. Nothing for a dense one.
  void AddGradient(std::span<const TokenId> ids, ConstMatrixView dx, LinearGradient* gradient,
                   Workspace& workspace) const;

  bool factored() const { return factors_ != nullptr; }
  bool tied() const { return own_.empty(); }
  std::span<float> a() const { return a_; }
  std::span<float> mid() const { return mid_; }
  std::span<float> b() const { return b_; }
  LinearGradient MakeGradient() const;

 private:
  const Model& model_;
  const FactoredWeight* factors_ = nullptr;
  PackedSigns B_, B_transposed_;
  std::vector<std::vector<float>> own_;  // a, mid and b where no head has them
  std::span<float> a_, mid_, b_;
};

}  // namespace addend
