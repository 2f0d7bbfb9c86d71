#include "train/train_embedding.h"

#include "kernels/vector_ops.h"
#include "train/row_math.h"

namespace addend {

void Embed(const Linear& embedding, const ModelConfig& config, std::span<const TokenId> ids, MatrixView x,
           ThreadPool& pool) {
  RunnableEmbedding(embedding).Rows(ids, x, pool, Precision::kExact);
  if (config.embedding_scale == 1) return;
  for (size_t t = 0; t < ids.size(); ++t) Scale(config.embedding_scale, x.Row(t));
}

TrainEmbedding::TrainEmbedding(const Model& model, TrainLinear* tied)
    : model_(model), factors_(std::get_if<FactoredWeight>(&model.embedding.weight)) {
  if (!factored()) return;
  B_ = PackedSigns(factors_->B);
  B_transposed_ = PackedSigns(factors_->B.Transposed());
  if (tied != nullptr) {
    a_ = tied->a();
    mid_ = tied->mid();
    b_ = tied->b();
  } else {
    own_ = {factors_->a, factors_->mid, factors_->b};
    a_ = own_[0];
    mid_ = own_[1];
    b_ = own_[2];
  }
}

LinearGradient TrainEmbedding::MakeGradient() const {
  LinearGradient gradient;
  gradient.a.resize(a_.size());
  gradient.mid.resize(mid_.size());
  gradient.b.resize(b_.size());
  return gradient;
}

void TrainEmbedding::Forward(std::span<const TokenId> ids, MatrixView x, Workspace& workspace) const {
  if (!factored()) return Embed(model_.embedding, model_.config, ids, x, workspace.pool);
  CheckTokens(ids, a_.size());
  workspace.ForChunks(ids.size(), kTokenChunk, [&](size_t first, size_t count) {
    const MatrixView rows = x.Rows(first, count);
    FactoredRows(factors_->A, B_transposed_, {a_, mid_, b_}, ids.subspan(first, count), rows, workspace.pool,
                 Precision::kExact);
    for (size_t t = 0; t < count; ++t) Scale(model_.config.embedding_scale, rows.Row(t));
  });
}

// With z(t, k) = a(id) mid(k) A(id, k), Forward gave x(t, :) = scale b * (B^T z(t, :)).
void TrainEmbedding::AddGradient(std::span<const TokenId> ids, ConstMatrixView dx, LinearGradient* gradient,
                                 Workspace& workspace) const {
  if (!factored()) return;
  const size_t rank = mid_.size(), inputs = b_.size();
  const float scale = model_.config.embedding_scale;
  const Borrowed signs = workspace.Borrow(ids.size(), rank);  // rows of A
  const Borrowed back = workspace.Borrow(ids.size(), rank);   // scale B (b * dx)
  const Borrowed totals = workspace.Borrow(1, rank + inputs);
  totals.SetZero();
  workspace.SumChunks(
      ids.size(), kTokenChunk, totals.values(), [&](size_t first, size_t count, std::span<float> sums) {
        const Borrowed scaled = workspace.Borrow(count, inputs), z = workspace.Borrow(count, rank);
        for (size_t t = 0; t < count; ++t) Multiply(scale, dx.Row(first + t), b_, scaled.Row(t));
        const MatrixView v = MatrixView(back).Rows(first, count);
        SignProduct(B_, scaled, v, workspace.pool, Precision::kExact);
        for (size_t t = 0; t < count; ++t) {
          const size_t id = ids[first + t];
          for (size_t k = 0; k < rank; ++k) {
            const float sign = factors_->A.Sign(id, k);
            signs(first + t, k) = sign;
            z(t, k) = a_[id] * mid_[k] * sign;
            sums[k] += a_[id] * sign * v(t, k);
          }
        }
        // What stands in front of b in Forward.
        SignProduct(B_transposed_, z, scaled, workspace.pool, Precision::kExact);
        for (size_t t = 0; t < count; ++t)
          MultiplyAdd(scale, dx.Row(first + t), scaled.Row(t), sums.subspan(rank));
      });
  Axpy(1, totals.values().first(rank), gradient->mid);
  Axpy(1, totals.values().subspan(rank), gradient->b);
  // One after the other: a token may stand at several places.
  for (size_t t = 0; t < ids.size(); ++t) {
    double sum = 0;
    for (size_t k = 0; k < rank; ++k) sum += mid_[k] * signs(t, k) * back(t, k);
    gradient->a[ids[t]] += static_cast<float>(sum);
  }
}

}  // namespace addend
