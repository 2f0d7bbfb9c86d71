// Attention of new tokens over a cache of keys and values, for one key-value head and the query heads that
// share it. Softmax is computed online, over tiles of the cache (FlashAttention, arXiv 2205.14135): no row of
// scores is ever stored whole.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/ggml_blocks.h"
#include "tensor/matrix.h"

namespace addend {

// Keys and values of one key-value head. T: float, uint16_t (IEEE half), or ggml::BlockQ8_0, which is 32
// elements; head_dim is a multiple of 32 then.
template <typename T>
struct KvHead {
  const T* keys = nullptr;    // of position p from keys[p * stride] on
  const T* values = nullptr;  // the same layout
  size_t stride = 0;          // T's from one position to the next
  size_t head_dim = 0;        // elements
};

struct AttentionOptions {
  float scale = 1;    // of q.k
  float softcap = 0;  // s <- cap * tanh(s / cap) after the scale; 0 = none
  size_t window = 0;  // a token sees itself and the window - 1 positions before; 0 = all
};

// queries, out: (tokens, heads * head_dim): `heads` = queries.cols / head_dim query heads next to each other,
// strided rows. Row i is the token at position first_position + i, and sees the positions up to its own,
// which must be in the cache already (its own key and value too). out may not overlap queries. Works on the
// calling thread: callers run the key-value heads, and blocks of tokens of a long prompt, in parallel. The
// result for a token does not depend on how tokens are grouped into calls only up to float32 rounding.
template <typename T>
void Attention(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
               const AttentionOptions& options, MatrixView out);
extern template void Attention(const KvHead<float>&, ConstMatrixView, size_t, const AttentionOptions&,
                               MatrixView);
extern template void Attention(const KvHead<uint16_t>&, ConstMatrixView, size_t, const AttentionOptions&,
                               MatrixView);
extern template void Attention(const KvHead<ggml::BlockQ8_0>&, ConstMatrixView, size_t,
                               const AttentionOptions&, MatrixView);

}  // namespace addend
