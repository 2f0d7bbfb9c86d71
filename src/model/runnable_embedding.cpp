#include "model/runnable_embedding.h"

#include "base/error.h"

namespace addend {

void CheckTokens(std::span<const TokenId> ids, size_t vocabulary) {
  for (const TokenId id : ids) {
    if (id >= vocabulary) throw Error("token id ", id, " of a vocabulary of ", vocabulary);
  }
}

void FactoredRows(const SignMatrix& A, const PackedSigns& B_transposed, const EmbeddingScales& scales,
                  std::span<const TokenId> ids, MatrixView x, ThreadPool& pool, Precision precision) {
  Matrix middle(ids.size(), A.cols());
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t k = 0; k < A.cols(); ++k) middle(t, k) = scales.a[ids[t]] * scales.mid[k] * A.Sign(ids[t], k);
  }
  SignProduct(B_transposed, middle, x, pool, precision);
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t c = 0; c < x.cols; ++c) x(t, c) *= scales.b[c];
  }
}

RunnableEmbedding::RunnableEmbedding(const Linear& embedding) : embedding_(embedding) {
  if (const auto* factors = std::get_if<FactoredWeight>(&embedding.weight))
    B_transposed_ = PackedSigns(factors->B.Transposed());
}

void RunnableEmbedding::Rows(std::span<const TokenId> ids, MatrixView x, ThreadPool& pool,
                             Precision precision) const {
  CheckTokens(ids, embedding_.outputs());
  if (const auto* stored = std::get_if<StoredMatrix>(&embedding_.weight)) {
    for (size_t t = 0; t < ids.size(); ++t) stored->ReadRow(ids[t], x.Row(t));
    return;
  }
  const auto& factors = std::get<FactoredWeight>(embedding_.weight);
  FactoredRows(factors.A, B_transposed_, {factors.a, factors.mid, factors.b}, ids, x, pool, precision);
}

}  // namespace addend
