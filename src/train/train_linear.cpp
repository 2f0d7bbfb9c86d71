#include "train/train_linear.h"

#include <algorithm>

#include "kernels/bf16_product.h"
#include "kernels/vector_ops.h"
#include "linalg/gemm.h"
#include "train/row_math.h"

namespace addend {
namespace {

// y = x diag(scale)
void ScaleColumns(ConstMatrixView x, std::span<const float> scale, MatrixView y) {
  for (size_t t = 0; t < x.rows; ++t) Multiply(1, x.Row(t), scale, y.Row(t));
}

// sums[c] += sum over t of x(t, c) y(t, c)
void AddColumnDots(ConstMatrixView x, ConstMatrixView y, std::span<float> sums) {
  for (size_t t = 0; t < x.rows; ++t) MultiplyAdd(1, x.Row(t), y.Row(t), sums);
}

void AddColumnSums(ConstMatrixView x, std::span<float> sums) {
  for (size_t t = 0; t < x.rows; ++t) Axpy(1, x.Row(t), sums);
}

void AddTo(std::span<float> sums, std::span<const float> x) {
  Axpy(1, x, sums);
}

}  // namespace

void LinearGradient::SetZero() {
  for (std::vector<float>* values : {&a, &mid, &b, &bias}) std::ranges::fill(*values, 0.0f);
  for (Matrix* matrix : {&A, &B, &weight}) matrix->SetZero();
}

TrainLinear::TrainLinear(const Linear& linear, Precision precision)
    : outputs_(linear.outputs()),
      inputs_(linear.inputs()),
      precision_(precision),
      rounded_(precision == Precision::kNear && HasBf16Product()),
      bias_(linear.bias) {
  if (!linear.factored()) {
    weight_ = linear.ToDense();
    return;
  }
  const auto& factors = std::get<FactoredWeight>(linear.weight);
  rank_ = factors.rank();
  SetSigns(factors.A, factors.B);
  a_ = factors.a;
  mid_ = factors.mid;
  b_ = factors.b;
}

void TrainLinear::SetSigns(const SignMatrix& A, const SignMatrix& B) {
  A_ = PackedSigns(A);
  B_ = PackedSigns(B);
  A_transposed_ = PackedSigns(A.Transposed());
  B_transposed_ = PackedSigns(B.Transposed());
}

LinearGradient TrainLinear::MakeGradient(bool wants_weight) const {
  LinearGradient gradient;
  gradient.a.resize(a_.size());
  gradient.mid.resize(mid_.size());
  gradient.b.resize(b_.size());
  gradient.bias.resize(bias_.size());
  if (!wants_weight) return gradient;
  if (factored()) {
    gradient.A = Matrix(outputs_, rank_);
    gradient.B = Matrix(rank_, inputs_);
  } else {
    gradient.weight = Matrix(outputs_, inputs_);
  }
  return gradient;
}

void TrainLinear::Forward(ConstMatrixView x, MatrixView y, LinearTape* tape, Workspace& workspace) const {
  if (tape != nullptr) {
    tape->hidden.Reshape(x.rows, rank_);
    tape->output.Reshape(x.rows, outputs_);
  }
  if (factored()) {
    ForwardFactored(x, y, tape, workspace);
  } else {
    ForwardDense(x, tape != nullptr ? tape->output.view() : y, workspace);
    workspace.ForChunks(x.rows, kTokenChunk, [&](size_t first, size_t count) {
      FinishOutput((tape != nullptr ? tape->output.view() : y).Rows(first, count), y.Rows(first, count));
    });
  }
}

void TrainLinear::ForwardDense(ConstMatrixView x, MatrixView y, Workspace& workspace) const {
  if (rounded_) {
    if (packed_weight_.empty()) packed_weight_ = PackedBf16::PackTransposed(weight_, workspace.pool);
    Bf16Product(x, packed_weight_, y, 0, workspace.pool);
  } else {
    Gemm(Op::kNone, x, Op::kTranspose, weight_, y, workspace.pool);
  }
}

void TrainLinear::ForwardFactored(ConstMatrixView x, MatrixView y, LinearTape* tape,
                                  Workspace& workspace) const {
  workspace.ForChunks(x.rows, kTokenChunk, [&](size_t first, size_t count) {
    const Borrowed input = workspace.Borrow(count, inputs_), middle = workspace.Borrow(count, rank_);
    const MatrixView hidden = tape != nullptr ? tape->hidden.view().Rows(first, count) : MatrixView(middle);
    const MatrixView output = (tape != nullptr ? tape->output.view() : y).Rows(first, count);
    ScaleColumns(x.Rows(first, count), b_, input);
    SignProduct(B_, input, hidden, workspace.pool, precision_);
    ScaleColumns(hidden, mid_, middle);
    SignProduct(A_, middle, output, workspace.pool, precision_);
    FinishOutput(output, y.Rows(first, count));
  });
}

void TrainLinear::Output(const LinearTape& tape, MatrixView y, Workspace& workspace) const {
  workspace.ForChunks(y.rows, kTokenChunk, [&](size_t first, size_t count) {
    FinishOutput(tape.output.view().Rows(first, count), y.Rows(first, count));
  });
}

// y = a * output + bias. y may be output.
void TrainLinear::FinishOutput(ConstMatrixView output, MatrixView y) const {
  for (size_t t = 0; t < y.rows; ++t) {
    if (factored()) {
      Multiply(1, output.Row(t), a_, y.Row(t));
    } else if (y.data != output.data) {
      std::ranges::copy(output.Row(t), y.Row(t).begin());
    }
    if (!bias_.empty()) Axpy(1, bias_, y.Row(t));
  }
}

void TrainLinear::Backward(ConstMatrixView x, ConstMatrixView dy, const LinearTape& tape, MatrixView dx,
                           LinearGradient* gradient, Workspace& workspace) const {
  if (gradient != nullptr && !gradient->bias.empty()) {
    workspace.SumChunks(dy.rows, kTokenChunk, gradient->bias,
                        [&](size_t first, size_t count, std::span<float> sums) {
                          AddColumnSums(dy.Rows(first, count), sums);
                        });
  }
  if (factored()) {
    BackwardFactored(x, dy, tape, dx, gradient, workspace);
  } else {
    Gemm(Op::kNone, dy, Op::kNone, weight_, dx, workspace.pool, 1, 1);
    if (gradient != nullptr && !gradient->weight.empty()) {
      Gemm(Op::kTranspose, dy, Op::kNone, x, gradient->weight, workspace.pool, 1, 1);
    }
  }
}

void TrainLinear::BackwardFactored(ConstMatrixView x, ConstMatrixView dy, const LinearTape& tape,
                                   MatrixView dx, LinearGradient* gradient, Workspace& workspace) const {
  // What enters and leaves the two sign products, of a chunk or, for the gradients of the signs, of all rows.
  const bool wants_signs = gradient != nullptr && !gradient->A.empty();
  const size_t kept = wants_signs ? x.rows : 0;
  const Borrowed all_d_output = workspace.Borrow(kept, outputs_),
                 all_d_hidden = workspace.Borrow(kept, rank_);
  // The sums of a, mid and b after one another.
  const Borrowed totals = workspace.Borrow(1, outputs_ + rank_ + inputs_);
  totals.SetZero();
  workspace.SumChunks(
      x.rows, kTokenChunk, totals.values(), [&](size_t first, size_t count, std::span<float> sums) {
        const size_t own = wants_signs ? 0 : count;
        const Borrowed own_d_output = workspace.Borrow(own, outputs_),
                       own_d_hidden = workspace.Borrow(own, rank_),
                       d_input = workspace.Borrow(count, inputs_);
        const MatrixView d_output = wants_signs ? all_d_output.Rows(first, count) : MatrixView(own_d_output);
        const MatrixView d_hidden = wants_signs ? all_d_hidden.Rows(first, count) : MatrixView(own_d_hidden);
        const ConstMatrixView dy_rows = dy.Rows(first, count), hidden = tape.hidden.view().Rows(first, count);
        if (gradient != nullptr) {
          AddColumnDots(dy_rows, tape.output.view().Rows(first, count), sums.first(outputs_));
        }
        ScaleColumns(dy_rows, a_, d_output);
        SignProduct(A_transposed_, d_output, d_hidden, workspace.pool, precision_);
        if (gradient != nullptr) AddColumnDots(d_hidden, hidden, sums.subspan(outputs_, rank_));
        ScaleColumns(d_hidden, mid_, d_hidden);
        SignProduct(B_transposed_, d_hidden, d_input, workspace.pool, precision_);
        if (gradient != nullptr) AddColumnDots(d_input, x.Rows(first, count), sums.last(inputs_));
        for (size_t t = 0; t < count; ++t) MultiplyAdd(1, d_input.Row(t), b_, dx.Row(first + t));
      });
  if (gradient == nullptr) return;
  AddTo(gradient->a, totals.values().first(outputs_));
  AddTo(gradient->mid, totals.values().subspan(outputs_, rank_));
  AddTo(gradient->b, totals.values().last(inputs_));
  if (wants_signs) AddSignGradients(x, tape, all_d_output, all_d_hidden, gradient, workspace);
}

// With A(i, k) as a real number, y(t, i) = a(i) sum over k of A(i, k) mid(k) hidden(t, k); B likewise. The
// scales of the columns are applied to the sums.
void TrainLinear::AddSignGradients(ConstMatrixView x, const LinearTape& tape, ConstMatrixView d_output,
                                   ConstMatrixView d_hidden, LinearGradient* gradient,
                                   Workspace& workspace) const {
  const auto add = [&](ConstMatrixView d_out, ConstMatrixView in, std::span<const float> scale, Matrix& sum) {
    const Borrowed product = workspace.Borrow(sum.rows(), sum.cols());
    if (rounded_) {
      Bf16ProductTransposed(d_out, PackedBf16::Pack(in, workspace.pool), product, 0, workspace.pool);
    } else {
      Gemm(Op::kTranspose, d_out, Op::kNone, in, product, workspace.pool);
    }
    workspace.ForChunks(sum.rows(), kTokenChunk, [&](size_t first, size_t count) {
      for (size_t r = first; r < first + count; ++r) MultiplyAdd(1, product.Row(r), scale, sum.Row(r));
    });
  };
  add(d_output, tape.hidden, mid_, gradient->A);
  add(d_hidden, x, b_, gradient->B);
}

}  // namespace addend
