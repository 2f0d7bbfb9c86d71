#include "kernels/attention.h"

#include <type_traits>

#include "base/error.h"
#include "kernels/simd_kernels.h"

namespace addend {

template <typename T>
void Attention(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
               const AttentionOptions& options, MatrixView out) {
  if (cache.head_dim == 0 || queries.cols % cache.head_dim != 0 || out.cols != queries.cols ||
      out.rows != queries.rows) {
    throw Error("attention with heads of ", cache.head_dim, ": queries [", queries.rows, ", ", queries.cols,
                "], out [", out.rows, ", ", out.cols, "]");
  }
  const SimdKernels& kernels = SimdKernelsFor(CurrentTarget());
  if constexpr (std::is_same_v<T, float>) {
    kernels.attention_float(cache, queries, first_position, options, out);
  } else if constexpr (std::is_same_v<T, uint16_t>) {
    kernels.attention_half(cache, queries, first_position, options, out);
  } else {
    if (cache.head_dim % T::kElements != 0) {
      throw Error("attention over blocks of ", T::kElements, ": heads of ", cache.head_dim);
    }
    kernels.attention_q8_0(cache, queries, first_position, options, out);
  }
}

template void Attention(const KvHead<float>&, ConstMatrixView, size_t, const AttentionOptions&, MatrixView);
template void Attention(const KvHead<uint16_t>&, ConstMatrixView, size_t, const AttentionOptions&,
                        MatrixView);
template void Attention(const KvHead<ggml::BlockQ8_0>&, ConstMatrixView, size_t, const AttentionOptions&,
                        MatrixView);

}  // namespace addend
