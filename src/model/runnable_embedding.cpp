#include "model/runnable_embedding.h"

#include "base/error.h"

namespace addend {

RunnableEmbedding::RunnableEmbedding(const Linear& embedding) : embedding_(embedding) {
  if (const auto* factors = std::get_if<FactoredWeight>(&embedding.weight))
    B_transposed_ = PackedSigns(factors->B.Transposed());
}

void RunnableEmbedding::Rows(std::span<const TokenId> ids, MatrixView x, ThreadPool& pool,
                             Precision precision) const {
  for (const TokenId id : ids) {
    if (id >= embedding_.outputs())
      throw Error("token id ", id, " of a vocabulary of ", embedding_.outputs());
  }
  if (const auto* stored = std::get_if<StoredMatrix>(&embedding_.weight)) {
    for (size_t t = 0; t < ids.size(); ++t) stored->ReadRow(ids[t], x.Row(t));
    return;
  }
  const auto& factors = std::get<FactoredWeight>(embedding_.weight);
  Matrix middle(ids.size(), factors.rank());
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t k = 0; k < factors.rank(); ++k)
      middle(t, k) = factors.a[ids[t]] * factors.mid[k] * factors.A.Sign(ids[t], k);
  }
  SignProduct(B_transposed_, middle, x, pool, precision);
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t c = 0; c < x.cols; ++c) x(t, c) *= factors.b[c];
  }
}

}  // namespace addend
