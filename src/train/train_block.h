// One block (attention and feed-forward, each with its residual sum) with its backward pass, for every value
// of ModelConfig. Tokens are rows; a batch is `sequences * length` rows, one sequence after the other.
#pragma once
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"
#include "model/rope.h"
#include "train/attention.h"
#include "train/train_linear.h"
#include "train/workspace.h"

namespace addend {

// What Backward needs beside the input of the block. Cheap values (norms, rope, activations, attention
// probabilities) are computed again instead of kept. A tape may be used again and again; it keeps its memory.
struct BlockTape {
  // false: Backward will not follow, and what the linears give is not kept.
  bool for_backward = true;
  size_t length = 0;
  std::array<LinearTape, kLinearKinds.size()> linears;  // by LinearKind
  Matrix log_sum_exp;                                   // of the attention scores: tokens x heads
  Matrix attended;                                      // what attention gives to o: tokens x q_size
  Matrix middle;  // the residual stream between attention and feed-forward
};

struct BlockGradients {
  std::array<LinearGradient, kLinearKinds.size()> linears;
  std::vector<float> attention_norm, feed_forward_norm, q_norm, k_norm, post_attention_norm,
      post_feed_forward_norm;

  LinearGradient& operator[](LinearKind kind) { return linears[static_cast<size_t>(kind)]; }
  const LinearGradient& operator[](LinearKind kind) const { return linears[static_cast<size_t>(kind)]; }
  void SetZero();
};

// Calibration listens here. The views live until the observer returns.
// In Forward: the input x of a linear, (tokens, inputs), once for those that share it: kQ (also k and v), kO,
// kGate (also up), kDown. Returns whether the rest of the block is wanted; if not, y stays as it was.
using InputObserver = std::function<bool(LinearKind kind, ConstMatrixView x)>;
// In Backward: for each linear its input and the gradient of its output (tokens, outputs).
using LinearObserver = std::function<void(LinearKind kind, ConstMatrixView x, ConstMatrixView dy)>;

class TrainBlock {
 public:
  // Decodes or packs the weights; `block` is not needed afterwards. `index` tells whether its attention
  // slides.
  TrainBlock(const ModelConfig& config, const Block& block, size_t index,
             Precision precision = Precision::kNear);

  // x, y: (sequences * length, hidden), may be the same. Attention stays within each sequence, positions
  // 0..length - 1. Throws Error when the rows are not whole sequences.
  void Forward(ConstMatrixView x, size_t length, MatrixView y, BlockTape* tape /*may be null*/,
               Workspace& workspace, const InputObserver& observer = {}) const;
  // x and tape as in Forward. dx is set (not added to) and may be dy. Parameter gradients are added to
  // *gradients unless it is null.
  void Backward(ConstMatrixView x, const BlockTape& tape, ConstMatrixView dy, MatrixView dx,
                BlockGradients* gradients, Workspace& workspace, const LinearObserver& observer = {}) const;

  // The parameters.
  TrainLinear& linear(LinearKind kind) { return linears_[static_cast<size_t>(kind)]; }
  const TrainLinear& linear(LinearKind kind) const { return linears_[static_cast<size_t>(kind)]; }
  std::span<float> attention_norm() { return attention_norm_; }
  std::span<float> feed_forward_norm() { return feed_forward_norm_; }
  std::span<float> q_norm() { return q_norm_; }  // empty without qk_norm
  std::span<float> k_norm() { return k_norm_; }
  std::span<float> post_attention_norm() { return post_attention_norm_; }  // empty without post_norms
  std::span<float> post_feed_forward_norm() { return post_feed_forward_norm_; }

  // Zero gradients of the right sizes.
  BlockGradients MakeGradients(bool wants_weights = false) const;

 private:
  struct ForwardPass;
  struct BackwardPass;

  AttentionShape AttentionOver(size_t length) const;
  bool ForwardAttention(ConstMatrixView x, const ForwardPass& pass) const;  // false: the rest is not wanted
  void ForwardFeedForward(MatrixView y, const ForwardPass& pass) const;
  Borrowed ForwardLinear(LinearKind kind, ConstMatrixView x, const ForwardPass& pass) const;
  void AddUpdate(ConstMatrixView x, const Borrowed& update, std::span<const float> post_norm, MatrixView sum,
                 Workspace& workspace) const;
  void NormAndTurn(const Borrowed& heads, std::span<const float> gain, size_t length,
                   Workspace& workspace) const;
  void GateRows(ConstMatrixView gate, ConstMatrixView up, MatrixView gated, Workspace& workspace) const;

  void BackwardFeedForward(MatrixView d_stream, const BackwardPass& pass) const;
  void BackwardAttention(ConstMatrixView x, MatrixView d_stream, const BackwardPass& pass) const;
  Borrowed Output(LinearKind kind, const BackwardPass& pass) const;
  void BackwardLinear(LinearKind kind, ConstMatrixView x, ConstMatrixView dy, MatrixView dx,
                      const BackwardPass& pass) const;
  void BackwardUpdate(LinearKind kind, ConstMatrixView x, ConstMatrixView d_sum,
                      std::span<const float> post_norm, std::vector<float> BlockGradients::*d_post_norm,
                      MatrixView dx, const BackwardPass& pass) const;
  void NormAndTurnBackward(LinearKind kind, std::span<const float> gain,
                           std::vector<float> BlockGradients::*d_gain, const Borrowed& d_heads,
                           const BackwardPass& pass) const;

  std::array<TrainLinear, kLinearKinds.size()> linears_;
  std::vector<float> attention_norm_, feed_forward_norm_, q_norm_, k_norm_, post_attention_norm_,
      post_feed_forward_norm_;
  AttentionShape attention_;  // without the length of the sequences
  Activation activation_;
  float norm_epsilon_;
  mutable RopeTable rope_;  // grows with the longest sequence met
};

}  // namespace addend
