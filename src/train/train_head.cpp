#include "train/train_head.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "kernels/vector_ops.h"
#include "linalg/gemm.h"
#include "train/rms_norm.h"
#include "train/row_math.h"

namespace addend {
namespace {

constexpr size_t kTileRows = 4096;  // of the head, at a time, where it is not decoded once and for all
// Logits of a chunk of tokens: few enough to keep memory small, many enough for fast products.
constexpr size_t kChunkLogits = size_t{1} << 24;
constexpr size_t kMinChunkTokens = 64, kMaxChunkTokens = 512;

size_t ChunkTokens(size_t vocabulary) {
  return std::bit_floor(std::clamp(kChunkLogits / vocabulary, kMinChunkTokens, kMaxChunkTokens));
}

// exp(x - shift) goes to `scratch`, which may be x.
float LogSumExp(std::span<const float> x, std::span<float> scratch) {
  const float largest = RowMax(x);
  return largest + std::log(ExpShifted(x, largest, scratch));
}

// -log softmax(logits)[target]; gradient = weight * its gradient, and may be logits.
double CrossEntropyRow(std::span<const float> logits, TokenId target, float weight,
                       std::span<float> gradient) {
  const float largest = RowMax(logits), logit = logits[target];
  const float sum = ExpShifted(logits, largest, gradient);
  Scale(weight / sum, gradient);
  gradient[target] -= weight;
  return std::log(static_cast<double>(sum)) + largest - logit;
}

}  // namespace

void HeadGradients::SetZero() {
  std::ranges::fill(final_norm, 0.0f);
  weight.SetZero();
  factors.SetZero();
}

TrainHead::TrainHead(const Model& model, Precision precision, size_t max_decoded_bytes)
    : vocabulary_(model.HeadMatrix().outputs()),
      rounded_(false),
      final_norm_(model.final_norm),
      norm_epsilon_(model.config.norm_epsilon),
      softcap_(model.config.logit_softcap) {
  if (model.HeadMatrix().factored()) {
    factored_.emplace(model.HeadMatrix(), precision);
    return;
  }
  stored_ = std::get<StoredMatrix>(model.HeadMatrix().weight);
  if (stored_.rows() * stored_.cols() * sizeof(float) > max_decoded_bytes) return;
  rounded_ = precision == Precision::kNear && HasBf16Product();
  if (!rounded_) decoded_ = stored_.ToDense();
}

HeadGradients TrainHead::MakeGradients(bool wants_weight) const {
  HeadGradients gradients;
  gradients.final_norm.resize(final_norm_.size());
  if (factored_) {
    gradients.factors = factored_->MakeGradient();
  } else if (wants_weight) {
    gradients.weight = Matrix(stored_.rows(), stored_.cols());
  }
  return gradients;
}

Matrix TrainHead::Normed(ConstMatrixView x, Workspace& workspace) const {
  Matrix normed(x.rows, x.cols);
  RmsNorm(x, final_norm_, norm_epsilon_, normed, workspace);
  return normed;
}

double TrainHead::CrossEntropy(ConstMatrixView x, std::span<const TokenId> targets, Matrix* dx,
                               HeadGradients* gradients, Workspace& workspace) const {
  if (targets.size() != x.rows) throw Error("cross entropy: ", x.rows, " rows, ", targets.size(), " targets");
  size_t counted = 0;
  for (const TokenId target : targets) {
    if (target == kNoTarget) continue;
    if (target >= vocabulary())
      throw Error("cross entropy: target ", target, " of a vocabulary of ", vocabulary());
    ++counted;
  }
  const auto weight = 1 / static_cast<float>(std::max<size_t>(counted, 1));
  const auto loss = [&](const ChunkLogits& chunk) {
    workspace.pool.For(chunk.logits.rows, [&](size_t t) {
      const TokenId target = targets[chunk.first + t];
      if (target == kNoTarget) {
        std::ranges::fill(chunk.gradient.Row(t), 0.0f);
      } else {
        chunk.losses[t] = CrossEntropyRow(chunk.logits.Row(t), target, weight, chunk.gradient.Row(t));
      }
    });
  };
  return SumLosses(x, loss, dx, gradients, workspace) * weight;
}

double TrainHead::KlDivergence(ConstMatrixView x, ConstMatrixView teacher_normed, const TrainHead& teacher,
                               Matrix* dx, HeadGradients* gradients, Workspace& workspace) const {
  if (teacher.vocabulary() != vocabulary() || teacher_normed.rows != x.rows) {
    throw Error("divergence: teacher and student have ", teacher_normed.rows, " and ", x.rows,
                " rows, vocabularies of ", teacher.vocabulary(), " and ", vocabulary());
  }
  const auto weight = 1 / static_cast<float>(std::max<size_t>(x.rows, 1));
  const auto loss = [&](const ChunkLogits& chunk) {
    const Borrowed expected = workspace.Borrow(chunk.logits.rows, vocabulary());
    teacher.Logits(teacher_normed.Rows(chunk.first, chunk.logits.rows), expected, nullptr, workspace);
    workspace.pool.For(chunk.logits.rows, [&](size_t t) {
      const Borrowed scratch = workspace.Borrow(1, vocabulary());
      const float expected_norm = LogSumExp(expected.Row(t), scratch.Row(0));
      const float norm = LogSumExp(chunk.logits.Row(t), scratch.Row(0));
      chunk.losses[t] = DivergenceBackward(expected.Row(t), expected_norm, chunk.logits.Row(t), norm, weight,
                                           chunk.gradient.Row(t));
    });
  };
  return SumLosses(x, loss, dx, gradients, workspace) * weight;
}

std::vector<float> TrainHead::LogitImportance(ConstMatrixView x, Workspace& workspace) const {
  constexpr size_t kTokens = 1024;  // of the vocabulary, for one turn of a thread
  std::vector<double> sums(vocabulary());
  const auto add = [&](const ChunkLogits& chunk) {
    workspace.pool.For(chunk.logits.rows, [&](size_t t) {
      const std::span<const float> logits = chunk.logits.Row(t);
      const std::span<float> p = chunk.gradient.Row(t);
      Scale(1 / ExpShifted(logits, RowMax(logits), p), p);
    });
    workspace.ForChunks(vocabulary(), kTokens, [&](size_t first, size_t count) {
      for (size_t t = 0; t < chunk.logits.rows; ++t) {
        for (size_t i = first; i < first + count; ++i) {
          const double p = chunk.gradient(t, i);
          sums[i] += p * (1 - p);
        }
      }
    });
  };
  SumLosses(x, add, nullptr, nullptr, workspace);
  std::vector<float> means(vocabulary());
  for (size_t i = 0; i < means.size(); ++i)
    means[i] = static_cast<float>(sums[i] / static_cast<double>(std::max<size_t>(x.rows, 1)));
  return means;
}

double TrainHead::SumLosses(ConstMatrixView x, const ChunkLoss& loss, Matrix* dx, HeadGradients* gradients,
                            Workspace& workspace) const {
  if (dx != nullptr) {
    dx->Reshape(x.rows, x.cols);
    dx->SetZero();
  }
  std::vector<double> losses(x.rows);
  const size_t chunk_tokens = ChunkTokens(vocabulary());
  for (size_t first = 0; first < x.rows; first += chunk_tokens) {
    const size_t count = std::min(chunk_tokens, x.rows - first);
    const Borrowed normed = workspace.Borrow(count, x.cols);
    RmsNorm(x.Rows(first, count), final_norm_, norm_epsilon_, normed, workspace);
    const Borrowed logits = workspace.Borrow(count, vocabulary());
    const bool goes_back = dx != nullptr || gradients != nullptr;
    LinearTape tape;
    Logits(normed, logits, goes_back ? &tape : nullptr, workspace);
    // The softcap's derivative needs the logits once more.
    const Borrowed own_gradient = workspace.Borrow(softcap_ != 0 ? count : 0, vocabulary());
    const MatrixView d_logits = softcap_ != 0 ? MatrixView(own_gradient) : MatrixView(logits);
    loss({first, logits, d_logits, std::span(losses).subspan(first, count)});
    if (!goes_back) continue;

    if (softcap_ != 0) {
      workspace.pool.For(count, [&](size_t t) { SoftcapBackward(logits.Row(t), softcap_, d_logits.Row(t)); });
    }
    const Borrowed unwanted = workspace.Borrow(dx == nullptr ? count : 0, x.cols);
    BackwardChunk(x.Rows(first, count), normed, d_logits, tape,
                  dx != nullptr ? dx->view().Rows(first, count) : MatrixView(unwanted), gradients, workspace);
  }
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

// dx += the gradient of x.
void TrainHead::BackwardChunk(ConstMatrixView x, ConstMatrixView normed, ConstMatrixView d_logits,
                              const LinearTape& tape, MatrixView dx, HeadGradients* gradients,
                              Workspace& workspace) const {
  const Borrowed d_normed = workspace.Borrow(x.rows, x.cols);
  d_normed.SetZero();
  if (factored_) {
    factored_->Backward(normed, d_logits, tape, d_normed,
                        gradients != nullptr ? &gradients->factors : nullptr, workspace);
  } else {
    BackwardDense(d_logits, d_normed, workspace);
  }
  if (gradients != nullptr && !gradients->weight.empty()) {
    Gemm(Op::kTranspose, d_logits, Op::kNone, normed, gradients->weight, workspace.pool, 1, 1);
  }
  const std::span<float> d_gain =
      gradients != nullptr ? std::span<float>(gradients->final_norm) : std::span<float>();
  RmsNormBackward(x, final_norm_, norm_epsilon_, d_normed, dx, d_gain, workspace);
}

void TrainHead::BackwardDense(ConstMatrixView d_logits, MatrixView d_normed, Workspace& workspace) const {
  if (rounded_) {
    if (packed_for_backward_.empty())
      packed_for_backward_ = PackedBf16::Pack(stored_.ToDense(), workspace.pool);
    Bf16Product(d_logits, packed_for_backward_, d_normed, 0, workspace.pool);
  } else {
    ForHeadRows(workspace, [&](size_t first, ConstMatrixView head) {
      Gemm(Op::kNone, d_logits.Cols(first, head.rows), Op::kNone, head, d_normed, workspace.pool, 1, 1);
    });
  }
}

void TrainHead::Logits(ConstMatrixView normed, MatrixView logits, LinearTape* tape,
                       Workspace& workspace) const {
  if (factored_) {
    factored_->Forward(normed, logits, tape, workspace);
  } else if (rounded_) {
    if (packed_for_logits_.empty())
      packed_for_logits_ = PackedBf16::PackTransposed(stored_.ToDense(), workspace.pool);
    Bf16Product(normed, packed_for_logits_, logits, 0, workspace.pool);
  } else {
    ForHeadRows(workspace, [&](size_t first, ConstMatrixView head) {
      Gemm(Op::kNone, normed, Op::kTranspose, head, logits.Cols(first, head.rows), workspace.pool);
    });
  }
  if (softcap_ != 0) workspace.pool.For(logits.rows, [&](size_t t) { Softcap(softcap_, logits.Row(t)); });
}

// Calls body(first, rows) for the whole head matrix, or for tiles of it one after the other.
template <typename Body>
void TrainHead::ForHeadRows(Workspace& workspace, Body&& body) const {
  if (!decoded_.empty()) return body(size_t{0}, decoded_.view());
  const Borrowed tile = workspace.Borrow(std::min(kTileRows, vocabulary()), stored_.cols());
  for (size_t first = 0; first < vocabulary(); first += kTileRows) {
    const size_t count = std::min(kTileRows, vocabulary() - first);
    workspace.pool.For(count, [&](size_t r) { stored_.ReadRow(first + r, tile.Row(r)); });
    body(first, ConstMatrixView(tile).Rows(0, count));
  }
}

}  // namespace addend
