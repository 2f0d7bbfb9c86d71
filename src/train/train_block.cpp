#include "train/train_block.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/vector_ops.h"
#include "train/rms_norm.h"
#include "train/row_math.h"

namespace addend {
namespace {

constexpr size_t Index(LinearKind kind) {
  return static_cast<size_t>(kind);
}

// The heads of q or k as rows of their own.
MatrixView HeadRows(const Borrowed& m, size_t head_dim) {
  return {m.data, m.rows * m.cols / head_dim, head_dim, head_dim};
}

std::array<TrainLinear, kLinearKinds.size()> MakeLinears(const Block& block, Precision precision) {
  const auto make = [&](LinearKind kind) { return TrainLinear(block[kind], precision); };
  return {make(LinearKind::kQ),    make(LinearKind::kK),  make(LinearKind::kV),   make(LinearKind::kO),
          make(LinearKind::kGate), make(LinearKind::kUp), make(LinearKind::kDown)};
}

}  // namespace

struct TrainBlock::ForwardPass {
  BlockTape& tape;
  Workspace& workspace;
  const InputObserver& observer;

  bool GoesOn(LinearKind kind, ConstMatrixView x) const { return !observer || observer(kind, x); }
};

struct TrainBlock::BackwardPass {
  const BlockTape& tape;
  BlockGradients* gradients;  // may be null
  Workspace& workspace;
  const LinearObserver& observer;

  const LinearTape& Tape(LinearKind kind) const { return tape.linears[Index(kind)]; }
  std::span<float> Gradient(std::vector<float> BlockGradients::*norm) const {
    return gradients != nullptr ? std::span<float>(gradients->*norm) : std::span<float>();
  }
};

void BlockGradients::SetZero() {
  for (LinearGradient& linear : linears) linear.SetZero();
  for (std::vector<float>* norm : {&attention_norm, &feed_forward_norm, &q_norm, &k_norm,
                                   &post_attention_norm, &post_feed_forward_norm}) {
    std::ranges::fill(*norm, 0.0f);
  }
}

TrainBlock::TrainBlock(const ModelConfig& config, const Block& block, size_t index, Precision precision)
    : linears_(MakeLinears(block, precision)),
      attention_norm_(block.attention_norm),
      feed_forward_norm_(block.feed_forward_norm),
      q_norm_(block.q_norm),
      k_norm_(block.k_norm),
      post_attention_norm_(block.post_attention_norm),
      post_feed_forward_norm_(block.post_feed_forward_norm),
      activation_(config.activation),
      norm_epsilon_(config.norm_epsilon),
      rope_(config, config.slides[index] ? RopeKind::kSliding : RopeKind::kFull) {
  attention_.heads = config.heads;
  attention_.kv_heads = config.kv_heads;
  attention_.head_dim = config.head_dim;
  attention_.window = config.slides[index] ? config.sliding_window : 0;
  attention_.scale = config.attention_scale;
  attention_.softcap = config.attention_softcap;
}

BlockGradients TrainBlock::MakeGradients(bool wants_weights) const {
  BlockGradients gradients;
  for (const LinearKind kind : kLinearKinds) gradients[kind] = linear(kind).MakeGradient(wants_weights);
  gradients.attention_norm.resize(attention_norm_.size());
  gradients.feed_forward_norm.resize(feed_forward_norm_.size());
  gradients.q_norm.resize(q_norm_.size());
  gradients.k_norm.resize(k_norm_.size());
  gradients.post_attention_norm.resize(post_attention_norm_.size());
  gradients.post_feed_forward_norm.resize(post_feed_forward_norm_.size());
  return gradients;
}

AttentionShape TrainBlock::AttentionOver(size_t length) const {
  AttentionShape shape = attention_;
  shape.length = length;
  return shape;
}

// ---- Forward ----

void TrainBlock::Forward(ConstMatrixView x, size_t length, MatrixView y, BlockTape* tape,
                         Workspace& workspace, const InputObserver& observer) const {
  if (length == 0 || x.rows % length != 0) {
    throw Error("train block: ", x.rows, " rows are not whole sequences of ", length);
  }
  BlockTape temporary{.for_backward = false};
  const ForwardPass pass{tape != nullptr ? *tape : temporary, workspace, observer};
  pass.tape.length = length;
  rope_.Extend(length);
  if (ForwardAttention(x, pass)) ForwardFeedForward(y, pass);
}

bool TrainBlock::ForwardAttention(ConstMatrixView x, const ForwardPass& pass) const {
  auto& [tape, workspace, observer] = pass;
  const Borrowed input = workspace.Borrow(x.rows, x.cols);
  RmsNorm(x, attention_norm_, norm_epsilon_, input, workspace);
  if (!pass.GoesOn(LinearKind::kQ, input)) return false;

  const Borrowed q = ForwardLinear(LinearKind::kQ, input, pass),
                 k = ForwardLinear(LinearKind::kK, input, pass),
                 v = ForwardLinear(LinearKind::kV, input, pass);
  NormAndTurn(q, q_norm_, tape.length, workspace);
  NormAndTurn(k, k_norm_, tape.length, workspace);
  tape.attended.Reshape(q.rows, q.cols);
  tape.log_sum_exp.Reshape(q.rows, attention_.heads);
  AttentionForward(AttentionOver(tape.length), {q, k, v}, tape.attended, tape.log_sum_exp, workspace);
  if (!pass.GoesOn(LinearKind::kO, tape.attended)) return false;

  const Borrowed update = ForwardLinear(LinearKind::kO, tape.attended, pass);
  tape.middle.Reshape(x.rows, x.cols);
  AddUpdate(x, update, post_attention_norm_, tape.middle, workspace);
  return true;
}

void TrainBlock::ForwardFeedForward(MatrixView y, const ForwardPass& pass) const {
  auto& [tape, workspace, observer] = pass;
  const Borrowed input = workspace.Borrow(tape.middle.rows(), tape.middle.cols());
  RmsNorm(tape.middle, feed_forward_norm_, norm_epsilon_, input, workspace);
  if (!pass.GoesOn(LinearKind::kGate, input)) return;

  const Borrowed gate = ForwardLinear(LinearKind::kGate, input, pass),
                 up = ForwardLinear(LinearKind::kUp, input, pass);
  GateRows(gate, up, gate, workspace);
  if (!pass.GoesOn(LinearKind::kDown, gate)) return;

  const Borrowed update = ForwardLinear(LinearKind::kDown, gate, pass);
  AddUpdate(tape.middle, update, post_feed_forward_norm_, y, workspace);
}

Borrowed TrainBlock::ForwardLinear(LinearKind kind, ConstMatrixView x, const ForwardPass& pass) const {
  Borrowed y = pass.workspace.Borrow(x.rows, linear(kind).outputs());
  linear(kind).Forward(x, y, pass.tape.for_backward ? &pass.tape.linears[Index(kind)] : nullptr,
                       pass.workspace);
  return y;
}

// sum = x + update, or x + norm(update) where there are post norms (in place in `update`).
void TrainBlock::AddUpdate(ConstMatrixView x, const Borrowed& update, std::span<const float> post_norm,
                           MatrixView sum, Workspace& workspace) const {
  if (!post_norm.empty()) RmsNorm(update, post_norm, norm_epsilon_, update, workspace);
  workspace.ForChunks(x.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) Add(x.Row(t), update.Row(t), sum.Row(t));
  });
}

// q or k in place, from what their linear gave: norm of each head, then rope.
void TrainBlock::NormAndTurn(const Borrowed& heads, std::span<const float> gain, size_t length,
                             Workspace& workspace) const {
  if (!gain.empty()) {
    const MatrixView rows = HeadRows(heads, attention_.head_dim);
    RmsNorm(rows, gain, norm_epsilon_, rows, workspace);
  }
  workspace.ForChunks(heads.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) rope_.Rotate(heads.Row(t), t % length);
  });
}

void TrainBlock::GateRows(ConstMatrixView gate, ConstMatrixView up, MatrixView gated,
                          Workspace& workspace) const {
  const auto gate_row = activation_ == Activation::kSilu ? SiluGate : GeluTanhGate;
  workspace.ForChunks(gated.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) gate_row(gate.Row(t), up.Row(t), gated.Row(t));
  });
}

// ---- Backward ----
// d_x is the gradient of the value x. The gradient of the residual stream is carried in `d_stream`, which
// starts as that of the block's output and becomes that of its input.

void TrainBlock::Backward(ConstMatrixView x, const BlockTape& tape, ConstMatrixView dy, MatrixView dx,
                          BlockGradients* gradients, Workspace& workspace,
                          const LinearObserver& observer) const {
  const BackwardPass pass{tape, gradients, workspace, observer};
  if (dx.data != dy.data) CopyRows(dy, dx);
  BackwardFeedForward(dx, pass);
  BackwardAttention(x, dx, pass);
}

void TrainBlock::BackwardFeedForward(MatrixView d_stream, const BackwardPass& pass) const {
  auto& [tape, gradients, workspace, observer] = pass;
  const Borrowed gate = Output(LinearKind::kGate, pass), up = Output(LinearKind::kUp, pass);
  const Borrowed d_gated = workspace.Borrow(gate.rows, gate.cols);
  d_gated.SetZero();
  {
    const Borrowed gated = workspace.Borrow(gate.rows, gate.cols);
    GateRows(gate, up, gated, workspace);
    BackwardUpdate(LinearKind::kDown, gated, d_stream, post_feed_forward_norm_,
                   &BlockGradients::post_feed_forward_norm, d_gated, pass);
  }
  workspace.ForChunks(gate.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) {
      GateBackward(activation_, gate.Row(t), up.Row(t), d_gated.Row(t), gate.Row(t), up.Row(t));
    }
  });
  const ConstMatrixView d_gate = gate, d_up = up;

  const Borrowed input = workspace.Borrow(d_stream.rows, d_stream.cols);
  RmsNorm(tape.middle, feed_forward_norm_, norm_epsilon_, input, workspace);
  const Borrowed d_input = workspace.Borrow(d_stream.rows, d_stream.cols);
  d_input.SetZero();
  BackwardLinear(LinearKind::kGate, input, d_gate, d_input, pass);
  BackwardLinear(LinearKind::kUp, input, d_up, d_input, pass);
  RmsNormBackward(tape.middle, feed_forward_norm_, norm_epsilon_, d_input, d_stream,
                  pass.Gradient(&BlockGradients::feed_forward_norm), workspace);
}

void TrainBlock::BackwardAttention(ConstMatrixView x, MatrixView d_stream, const BackwardPass& pass) const {
  auto& [tape, gradients, workspace, observer] = pass;
  const Borrowed d_attended = workspace.Borrow(tape.attended.rows(), tape.attended.cols());
  d_attended.SetZero();
  BackwardUpdate(LinearKind::kO, tape.attended, d_stream, post_attention_norm_,
                 &BlockGradients::post_attention_norm, d_attended, pass);

  const Borrowed q = Output(LinearKind::kQ, pass), k = Output(LinearKind::kK, pass),
                 v = Output(LinearKind::kV, pass);
  NormAndTurn(q, q_norm_, tape.length, workspace);
  NormAndTurn(k, k_norm_, tape.length, workspace);
  const Borrowed d_q = workspace.Borrow(q.rows, q.cols), d_k = workspace.Borrow(k.rows, k.cols),
                 d_v = workspace.Borrow(v.rows, v.cols);
  AttentionBackward(AttentionOver(tape.length), {q, k, v}, tape.attended, tape.log_sum_exp, d_attended,
                    {d_q, d_k, d_v}, workspace);
  NormAndTurnBackward(LinearKind::kQ, q_norm_, &BlockGradients::q_norm, d_q, pass);
  NormAndTurnBackward(LinearKind::kK, k_norm_, &BlockGradients::k_norm, d_k, pass);

  const Borrowed input = workspace.Borrow(x.rows, x.cols);
  RmsNorm(x, attention_norm_, norm_epsilon_, input, workspace);
  const Borrowed d_input = workspace.Borrow(x.rows, x.cols);
  d_input.SetZero();
  BackwardLinear(LinearKind::kQ, input, d_q, d_input, pass);
  BackwardLinear(LinearKind::kK, input, d_k, d_input, pass);
  BackwardLinear(LinearKind::kV, input, d_v, d_input, pass);
  RmsNormBackward(x, attention_norm_, norm_epsilon_, d_input, d_stream,
                  pass.Gradient(&BlockGradients::attention_norm), workspace);
}

Borrowed TrainBlock::Output(LinearKind kind, const BackwardPass& pass) const {
  Borrowed y = pass.workspace.Borrow(pass.Tape(kind).output.rows(), linear(kind).outputs());
  linear(kind).Output(pass.Tape(kind), y, pass.workspace);
  return y;
}

void TrainBlock::BackwardLinear(LinearKind kind, ConstMatrixView x, ConstMatrixView dy, MatrixView dx,
                                const BackwardPass& pass) const {
  if (pass.observer) pass.observer(kind, x, dy);
  LinearGradient* const gradient = pass.gradients != nullptr ? &(*pass.gradients)[kind] : nullptr;
  linear(kind).Backward(x, dy, pass.Tape(kind), dx, gradient, pass.workspace);
}

// Through the last linear of a half (o, down) and the post norm behind it, if there is one. dx += the
// gradient of x, the linear's input.
void TrainBlock::BackwardUpdate(LinearKind kind, ConstMatrixView x, ConstMatrixView d_sum,
                                std::span<const float> post_norm,
                                std::vector<float> BlockGradients::*d_post_norm, MatrixView dx,
                                const BackwardPass& pass) const {
  if (post_norm.empty()) return BackwardLinear(kind, x, d_sum, dx, pass);
  const Borrowed update = Output(kind, pass);
  const Borrowed d_update = pass.workspace.Borrow(d_sum.rows, d_sum.cols);
  d_update.SetZero();
  RmsNormBackward(update, post_norm, norm_epsilon_, d_sum, d_update, pass.Gradient(d_post_norm),
                  pass.workspace);
  BackwardLinear(kind, x, d_update, dx, pass);
}

// Turns the gradient of what NormAndTurn gave into that of what the linear gave, in place.
void TrainBlock::NormAndTurnBackward(LinearKind kind, std::span<const float> gain,
                                     std::vector<float> BlockGradients::*d_gain, const Borrowed& d_heads,
                                     const BackwardPass& pass) const {
  pass.workspace.ForChunks(d_heads.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t t = first; t < first + count; ++t) rope_.RotateBack(d_heads.Row(t), t % pass.tape.length);
  });
  if (gain.empty()) return;
  const Borrowed heads = Output(kind, pass), d_normed = pass.workspace.Borrow(d_heads.rows, d_heads.cols);
  std::ranges::copy(d_heads.values(), d_normed.data);
  d_heads.SetZero();
  const size_t head_dim = attention_.head_dim;
  RmsNormBackward(HeadRows(heads, head_dim), gain, norm_epsilon_, HeadRows(d_normed, head_dim),
                  HeadRows(d_heads, head_dim), pass.Gradient(d_gain), pass.workspace);
}

}  // namespace addend
