// A linear layer, dense or factored, with its backward pass. All values are float32, a row for each token.
#pragma once
#include <span>
#include <vector>

#include "kernels/bf16_product.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "train/workspace.h"

namespace addend {

// What Backward needs beside the input.
struct LinearTape {
  Matrix hidden;  // factored: B (b * x), tokens x rank; dense: empty
  Matrix output;  // before the scale a and the bias, tokens x outputs: y = a * output + bias (dense: a = 1)
};

// Sums over tokens, and over calls until SetZero. What is empty is not computed.
struct LinearGradient {
  std::vector<float> a, mid, b;  // of the scales of a factored linear: all three or none
  // Of its signs, as if they were real numbers: outputs x rank and rank x inputs, both or none. Two products
  // of floats: costs more than the rest of Backward.
  Matrix A, B;
  Matrix weight;  // of a dense one, outputs x inputs; costs as much as the rest of Backward
  std::vector<float> bias;

  void SetZero();
};

// y = W x + bias over the rows of x.
class TrainLinear {
 public:
  // A dense weight is decoded to float32; of a factored one, A, B and their transposes are packed.
  // The linear itself is not needed afterwards. With kNear, dense weights too are multiplied in bfloat16 in
  // Forward, where that is faster.
  explicit TrainLinear(const Linear& linear, Precision precision = Precision::kNear);

  size_t outputs() const { return outputs_; }
  size_t inputs() const { return inputs_; }
  bool factored() const { return rank_ > 0; }

  // x: (tokens, inputs), y: (tokens, outputs).
  void Forward(ConstMatrixView x, MatrixView y, LinearTape* tape /*may be null*/, Workspace& workspace) const;
  // The y that Forward gave.
  void Output(const LinearTape& tape, MatrixView y, Workspace& workspace) const;
  // dx += W^T dy, and the gradients of the parameters are added to *gradient unless it is null.
  void Backward(ConstMatrixView x, ConstMatrixView dy, const LinearTape& tape, MatrixView dx,
                LinearGradient* gradient, Workspace& workspace) const;

  // The parameters. The scales are empty for a dense linear, the weight (outputs x inputs) for a factored
  // one.
  std::span<float> a() { return a_; }
  std::span<float> mid() { return mid_; }
  std::span<float> b() { return b_; }
  std::span<float> bias() { return bias_; }
  Matrix& weight() { return weight_; }  // changes it only before the first Forward, or with kExact
  std::span<const float> a() const { return a_; }
  std::span<const float> mid() const { return mid_; }
  std::span<const float> b() const { return b_; }

  // Other signs for a factored linear, of the same shapes.
  void SetSigns(const SignMatrix& A, const SignMatrix& B);

  // Zero gradients of the right sizes; without those of the weight or the signs unless wanted.
  LinearGradient MakeGradient(bool wants_weight = false) const;

 private:
  void ForwardDense(ConstMatrixView x, MatrixView y, Workspace& workspace) const;
  void ForwardFactored(ConstMatrixView x, MatrixView y, LinearTape* tape, Workspace& workspace) const;
  void FinishOutput(ConstMatrixView output, MatrixView y) const;
  void BackwardFactored(ConstMatrixView x, ConstMatrixView dy, const LinearTape& tape, MatrixView dx,
                        LinearGradient* gradient, Workspace& workspace) const;
  void AddSignGradients(ConstMatrixView x, const LinearTape& tape, ConstMatrixView d_output,
                        ConstMatrixView d_hidden, LinearGradient* gradient, Workspace& workspace) const;

  size_t outputs_ = 0, inputs_ = 0, rank_ = 0;
  Precision precision_;  // of sign products
  bool rounded_;         // other products in bfloat16
  Matrix weight_;
  mutable PackedBf16 packed_weight_;  // its transpose; made when first needed
  PackedSigns A_, B_, A_transposed_, B_transposed_;
  std::vector<float> a_, mid_, b_, bias_;
};

}  // namespace addend
