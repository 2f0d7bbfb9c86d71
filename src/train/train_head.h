// The end of the model: final norm, logits, and a loss on them, in chunks of tokens so that the logits of a
// sequence never exist at once (a vocabulary may have 256 thousand entries).
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "kernels/bf16_product.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "tokenizer/token.h"
#include "train/train_linear.h"
#include "train/workspace.h"

namespace addend {

inline constexpr TokenId kNoTarget = static_cast<TokenId>(-1);  // a row that does not count

// Sums over calls until SetZero. What is empty is not computed.
struct HeadGradients {
  std::vector<float> final_norm;
  Matrix weight;           // vocabulary x hidden, of a dense head
  LinearGradient factors;  // of the scales of a factored one

  void SetZero();
};

class TrainHead {
 public:
  static constexpr size_t kMaxDecodedBytes = size_t{512} << 20;
  // A factored head stays so. A dense one is decoded to float32 once if that takes at most
  // `max_decoded_bytes`, else tile by tile when it is needed: then the model must outlive this. With kNear,
  // products are in bfloat16 where that is faster and the matrix may be decoded as a whole.
  explicit TrainHead(const Model& model, Precision precision = Precision::kExact,
                     size_t max_decoded_bytes = kMaxDecodedBytes);

  // x: hidden states that leave the last block (tokens, hidden). *dx is set to the gradient unless dx is
  // null; parameter gradients are added to *gradients unless it is null.

  // Mean cross entropy (nats) over the rows whose target is not kNoTarget: targets[t] is the token after row
  // t. 0 when no row counts. Throws Error for a target past the vocabulary.
  double CrossEntropy(ConstMatrixView x, std::span<const TokenId> targets, Matrix* dx,
                      HeadGradients* gradients, Workspace& workspace) const;
  // Mean over the rows of KL(teacher || student) (nats). teacher_normed: what teacher.Normed() gave for the
  // same tokens.
  double KlDivergence(ConstMatrixView x, ConstMatrixView teacher_normed, const TrainHead& teacher, Matrix* dx,
                      HeadGradients* gradients, Workspace& workspace) const;
  Matrix Normed(ConstMatrixView x, Workspace& workspace) const;
  // For each token of the vocabulary the mean over the rows of p (1 - p), p its predicted probability: the
  // mean squared gradient of its logit, where the next token is what the model itself expects.
  std::vector<float> LogitImportance(ConstMatrixView x, Workspace& workspace) const;

  std::span<float> final_norm() { return final_norm_; }                  // a parameter
  TrainLinear* factored() { return factored_ ? &*factored_ : nullptr; }  // with its parameters
  HeadGradients MakeGradients(bool wants_weight = false) const;

 private:
  // What a loss is given of a chunk of tokens: `rows` of the batch from `first`. It writes the loss of each
  // row and the gradient of its logits; `gradient` may be the memory of `logits`.
  struct ChunkLogits {
    size_t first;
    ConstMatrixView logits;
    MatrixView gradient;
    std::span<double> losses;
  };
  using ChunkLoss = std::function<void(const ChunkLogits& chunk)>;

  size_t vocabulary() const { return vocabulary_; }
  double SumLosses(ConstMatrixView x, const ChunkLoss& loss, Matrix* dx, HeadGradients* gradients,
                   Workspace& workspace) const;
  // `tape` is for BackwardChunk, and only used by a factored head; may be null.
  void Logits(ConstMatrixView normed, MatrixView logits, LinearTape* tape, Workspace& workspace) const;
  void BackwardChunk(ConstMatrixView x, ConstMatrixView normed, ConstMatrixView d_logits,
                     const LinearTape& tape, MatrixView dx, HeadGradients* gradients,
                     Workspace& workspace) const;
  // d_normed (zeros before) = the gradient through the dense head matrix.
  void BackwardDense(ConstMatrixView d_logits, MatrixView d_normed, Workspace& workspace) const;
  template <typename Body>
  void ForHeadRows(Workspace& workspace, Body&& body) const;

  size_t vocabulary_;
  std::optional<TrainLinear> factored_;
  StoredMatrix stored_;  // of a dense head; vocabulary x hidden
  bool rounded_;         // products in bfloat16
  Matrix decoded_;       // `stored_` in float32, or empty
  // `stored_` for rounded products: its transpose for the logits, itself for Backward. Made when first
  // needed.
  mutable PackedBf16 packed_for_logits_, packed_for_backward_;
  std::vector<float> final_norm_;
  float norm_epsilon_, softcap_;
};

}  // namespace addend
