// The embedding, made ready to look tokens up.
#pragma once
#include <span>
#include <vector>

#include "base/threads.h"
#include "kernels/sign_product.h"
#include "model/model.h"
#include "tensor/matrix.h"
#include "tokenizer/token.h"

namespace addend {

// Throws Error for an id past the vocabulary.
void CheckTokens(std::span<const TokenId> ids, size_t vocabulary);

struct EmbeddingScales {
  std::span<const float> a, mid, b;
};
// Of a factored embedding a token's row is  b * B^T (mid * A(token, :)) a(token): one vector of the rank
// times the signs of B, for all tokens of a batch together. x: ids.size() x hidden; the ids are checked.
void FactoredRows(const SignMatrix& A, const PackedSigns& B_transposed, const EmbeddingScales& scales,
                  std::span<const TokenId> ids, MatrixView x, ThreadPool& pool, Precision precision);

class RunnableEmbedding {
 public:
  explicit RunnableEmbedding(const Linear& embedding);  // which must outlive it

  // x: ids.size() x hidden. Throws Error for an id past the vocabulary.
  void Rows(std::span<const TokenId> ids, MatrixView x, ThreadPool& pool, Precision precision) const;

 private:
  const Linear& embedding_;
  PackedSigns B_transposed_;  // hidden x rank; of a factored one
};

}  // namespace addend
