#include "calibrate/prefix_stream.h"

#include <algorithm>
#include <optional>

#include "base/interrupt.h"
#include "linalg/gemm.h"
#include "linalg/solve.h"
#include "train/train_model.h"

namespace addend {
namespace {

bool AddsToStream(const ModelConfig& config, Site site) {
  return (site == Site::kO || site == Site::kDown) && !config.post_norms;
}

Borrowed Copy(ConstMatrixView m, Workspace& workspace) {
  Borrowed copy = workspace.Borrow(m.rows, m.cols);
  CopyRows(m, copy);
  return copy;
}

// What one block makes of some hidden states: the input at a site, and the residual stream beside it where
// the layer's output is added to it.
struct SiteInput {
  std::optional<Borrowed> input, residual;
};

SiteInput Look(const TrainBlock& block, Site site, ConstMatrixView hidden, size_t length, BlockTape& tape,
               Workspace& workspace) {
  SiteInput found;
  const InputObserver keep = [&](LinearKind at, ConstMatrixView x) {
    if (at != LinearsOf(site).front()) return true;
    found.input.emplace(Copy(x, workspace));
    return false;
  };
  const Borrowed unused = workspace.Borrow(hidden.rows, hidden.cols);
  block.Forward(hidden, length, unused, &tape, workspace, keep);
  if (site == Site::kO) found.residual.emplace(Copy(hidden, workspace));
  if (site == Site::kDown) found.residual.emplace(Copy(tape.middle, workspace));
  return found;
}

}  // namespace

std::span<const LinearKind> LinearsOf(Site site) {
  using enum LinearKind;
  static constexpr LinearKind kOfAttention[] = {kQ, kK, kV}, kOfO[] = {kO}, kOfFeedForward[] = {kGate, kUp},
                              kOfDown[] = {kDown};
  switch (site) {
    case Site::kAttention:
      return kOfAttention;
    case Site::kO:
      return kOfO;
    case Site::kFeedForward:
      return kOfFeedForward;
    case Site::kDown:
      break;
  }
  return kOfDown;
}

Matrix CorrectedWeight(ConstMatrixView weight, const SiteMoments& moments, float damping, ThreadPool& pool) {
  const size_t inputs = weight.cols;
  Matrix difference = moments.cross, damped = moments.covariance;
  double trace = 0;
  for (size_t j = 0; j < inputs; ++j) trace += moments.covariance(j, j);
  const auto floor = static_cast<float>(1e-6 * trace / static_cast<double>(inputs)) + 1e-30f;
  for (size_t j = 0; j < inputs; ++j) {
    for (size_t k = 0; k < inputs; ++k) difference(j, k) -= moments.covariance(j, k);
    damped(j, j) += damping * damped(j, j) + floor;
  }
  // The transpose of W (cross - covariance) + residual; the solver takes right-hand sides as columns.
  Matrix correction(inputs, weight.rows);
  Gemm(Op::kTranspose, difference, Op::kTranspose, weight, correction, pool);
  if (!moments.residual.empty()) {
    for (size_t j = 0; j < inputs; ++j) {
      for (size_t i = 0; i < weight.rows; ++i) correction(j, i) += moments.residual(i, j);
    }
  }
  Cholesky(std::move(damped)).Solve(correction, pool);
  Matrix corrected(weight.rows, inputs);
  for (size_t i = 0; i < weight.rows; ++i) {
    for (size_t j = 0; j < inputs; ++j) corrected(i, j) = weight(i, j) + correction(j, i);
  }
  return corrected;
}

PrefixStream::PrefixStream(const Model& dense, const Linear& embedding, SequenceSpan sequences,
                           ThreadPool& pool)
    : dense_(dense),
      workspace_(pool),
      length_(SequenceLength(sequences)),
      dense_hidden_(sequences.size() * length_, dense.config.hidden),
      compressed_hidden_(sequences.size() * length_, dense.config.hidden) {
  const std::vector<TokenId> ids = Flatten(sequences);
  Embed(dense.embedding, dense.config, ids, dense_hidden_, pool);
  Embed(embedding, dense.config, ids, compressed_hidden_, pool);
}

// Calls body(dense_rows, compressed_rows) for groups of sequences.
template <typename Body>
void PrefixStream::ForGroups(Body&& body) {
  const size_t group = kSequencesInFlight * length_;
  for (size_t first = 0; first < dense_hidden_.rows(); first += group) {
    ThrowIfInterrupted();
    const size_t count = std::min(group, dense_hidden_.rows() - first);
    body(dense_hidden_.view().Rows(first, count), compressed_hidden_.view().Rows(first, count));
  }
}

SiteMoments PrefixStream::Measure(Site site, const Block& compressed) {
  const TrainBlock original(dense_.config, dense_.blocks.at(next_), next_);
  const TrainBlock student(dense_.config, compressed, next_);
  const size_t inputs = compressed[LinearsOf(site).front()].inputs();
  SiteMoments moments{.covariance = Matrix(inputs, inputs), .cross = Matrix(inputs, inputs), .residual = {}};
  if (AddsToStream(dense_.config, site)) moments.residual = Matrix(dense_.config.hidden, inputs);
  const float weight = 1.0f / static_cast<float>(dense_hidden_.rows());
  ThreadPool& pool = workspace_.pool;
  ForGroups([&](ConstMatrixView dense_rows, ConstMatrixView compressed_rows) {
    const SiteInput z = Look(original, site, dense_rows, length_, tape_, workspace_);
    const SiteInput x = Look(student, site, compressed_rows, length_, tape_, workspace_);
    AddGram(*x.input, weight, moments.covariance, pool);
    Gemm(Op::kTranspose, *z.input, Op::kNone, *x.input, moments.cross, pool, weight, 1);
    if (moments.residual.empty()) return;
    const std::span<float> ahead = z.residual->values();
    for (size_t i = 0; i < ahead.size(); ++i) ahead[i] -= x.residual->values()[i];
    Gemm(Op::kTranspose, *z.residual, Op::kNone, *x.input, moments.residual, pool, weight, 1);
  });
  return moments;
}

void PrefixStream::Advance(const Block& compressed, const Tuner& tune) {
  const TrainBlock original(dense_.config, dense_.blocks.at(next_), next_);
  ForGroups([&](MatrixView dense_rows, MatrixView) {
    original.Forward(dense_rows, length_, dense_rows, &tape_, workspace_);
  });
  if (tune) tune(compressed_hidden_, dense_hidden_);
  const TrainBlock student(dense_.config, compressed, next_);
  ForGroups([&](MatrixView, MatrixView compressed_rows) {
    student.Forward(compressed_rows, length_, compressed_rows, &tape_, workspace_);
  });
  ++next_;
}

}  // namespace addend
