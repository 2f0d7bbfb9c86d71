#include "kernels/bf16_product.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "kernels/target.h"

#if defined(__x86_64__)
#include "kernels/intrinsics.h"
#endif

namespace addend {
namespace {

constexpr size_t kPanel = PackedBf16::kPanel;

#if defined(__x86_64__)
#define ADDEND_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

constexpr size_t kLanes = 16;
constexpr size_t kRows = 6;          // of the result in registers, four vectors each
constexpr size_t kDepthPairs = 256;  // of a panel at a time: 64 KiB, which stay in the second-level cache
constexpr size_t kTaskRows = 120;    // of the result in a task; a multiple of kRows

ADDEND_BF16 inline __mmask16 First(size_t n) {
  return static_cast<__mmask16>((1u << std::min(n, kLanes)) - 1);
}

// 16 columns of two rows -> a word for each column.
ADDEND_BF16 inline __m512i PairRows(__m512 even, __m512 odd) {
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);  // 16 of even, then 16 of odd
  const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
  const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// A pair of rows of m, columns [first, first + count), as words to out.
ADDEND_BF16 void PackPair(ConstMatrixView m, size_t pair, size_t first, size_t count, uint32_t* out) {
  const float* even = m.Row(2 * pair).data() + first;
  const float* odd = 2 * pair + 1 < m.rows ? m.Row(2 * pair + 1).data() + first : nullptr;
  for (size_t c = 0; c < count; c += kLanes) {
    const __mmask16 mask = First(count - c);
    const __m512 low = _mm512_maskz_loadu_ps(mask, even + c);
    const __m512 high = odd != nullptr ? _mm512_maskz_loadu_ps(mask, odd + c) : _mm512_setzero_ps();
    _mm512_mask_storeu_epi32(out + c, mask, PairRows(low, high));
  }
}

// The pairs of neighbours of a row as words.
ADDEND_BF16 void PackRow(std::span<const float> row, uint32_t* out) {
  for (size_t c = 0; c < row.size(); c += 2 * kLanes) {
    const size_t left = row.size() - c;
    const __m512 low = _mm512_maskz_loadu_ps(First(left), row.data() + c);
    const __m512 high = left > kLanes ? _mm512_maskz_loadu_ps(First(left - kLanes), row.data() + c + kLanes)
                                      : _mm512_setzero_ps();
    const __m512i words = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    _mm512_mask_storeu_epi32(out + c / 2, First((left + 1) / 2), words);
  }
}

// The left factor: word (row, pair) stands at words[row * row_step + pair * pair_step].
struct LeftFactor {
  const uint32_t* words;
  size_t row_step, pair_step;
};

// c[0 .. kCount)[0 .. cols) += the product over `pairs` pairs.
template <size_t kCount>
ADDEND_BF16 void AddRows(const LeftFactor& a, const uint32_t* panel, size_t pairs, float* c, size_t stride,
                         size_t cols) {
  __m512 sums[kCount][4];
  for (auto& row : sums) {
    for (__m512& sum : row) sum = _mm512_setzero_ps();
  }
  const uint32_t* left = a.words;
  for (size_t k = 0; k < pairs; ++k, left += a.pair_step, panel += kPanel) {
    __m512i b[4];
    for (size_t v = 0; v < 4; ++v) b[v] = _mm512_loadu_si512(panel + v * kLanes);
    for (size_t r = 0; r < kCount; ++r) {
      __m512i pair = _mm512_set1_epi32(static_cast<int>(left[r * a.row_step]));
#if defined(__clang__)  // Clang 16 crashes when it makes the broadcast a part of the product
      __asm__("" : "+v"(pair));
#endif
      for (size_t v = 0; v < 4; ++v) {
        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], (__m512bh)pair, (__m512bh)b[v]);
      }
    }
  }
  for (size_t r = 0; r < kCount; ++r) {
    for (size_t v = 0; v < 4 && v * kLanes < cols; ++v) {
      float* out = c + r * stride + v * kLanes;
      const __mmask16 mask = First(cols - v * kLanes);
      _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), sums[r][v]));
    }
  }
}

// One panel's columns of some rows of c.
void AddPanel(LeftFactor a, const PackedBf16& b, size_t panel, MatrixView c) {
  const size_t first = panel * kPanel, cols = b.PanelCols(panel);
  for (size_t k = 0; k < b.pairs(); k += kDepthPairs) {
    const size_t pairs = std::min(kDepthPairs, b.pairs() - k);
    const uint32_t* right = b.Panel(panel) + k * kPanel;
    size_t r = 0;
    const auto left = [&] {
      return LeftFactor{a.words + r * a.row_step + k * a.pair_step, a.row_step, a.pair_step};
    };
    for (; r + kRows <= c.rows; r += kRows) {
      AddRows<kRows>(left(), right, pairs, c.Row(r).data() + first, c.stride, cols);
    }
    for (; r < c.rows; ++r) AddRows<1>(left(), right, pairs, c.Row(r).data() + first, c.stride, cols);
  }
}

void Multiply(const LeftFactor& a, const PackedBf16& b, MatrixView c, float beta, ThreadPool& pool) {
  const size_t panels = b.panels(), strips = (c.rows + kTaskRows - 1) / kTaskRows;
  // Neighbouring tasks share the rows, which are the larger part of what a task reads.
  pool.For(strips * panels, [&](size_t i) {
    const size_t row = i / panels * kTaskRows, rows = std::min(kTaskRows, c.rows - row);
    const size_t panel = i % panels;
    const MatrixView part = c.Rows(row, rows);
    if (beta == 0) {
      const size_t first = panel * kPanel, cols = b.PanelCols(panel);
      for (size_t r = 0; r < rows; ++r) std::fill_n(part.Row(r).data() + first, cols, 0.0f);
    }
    AddPanel({a.words + row * a.row_step, a.row_step, a.pair_step}, b, panel, part);
  });
}
#else
void PackPair(ConstMatrixView, size_t, size_t, size_t, uint32_t*) {}
void PackRow(std::span<const float>, uint32_t*) {}
struct LeftFactor {
  const uint32_t* words;
  size_t row_step, pair_step;
};
void Multiply(const LeftFactor&, const PackedBf16&, MatrixView, float, ThreadPool&) {}
#endif

void Check(size_t rows, size_t depth, const PackedBf16& b, ConstMatrixView c) {
  if (!HasBf16Product()) throw Error("this CPU has no products in bfloat16");
  if (depth != b.depth() || c.rows != rows || c.cols != b.cols()) {
    throw Error("product in bfloat16: [", rows, ", ", depth, "] x [", b.depth(), ", ", b.cols(),
                "] does not give [", c.rows, ", ", c.cols, "]");
  }
}

}  // namespace

bool HasBf16Product() {
#if defined(__x86_64__)
  return CurrentTarget() == Target::kAvx512 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

PackedBf16::PackedBf16(size_t depth, size_t cols)
    : depth_(depth), cols_(cols), words_(panels() * kPanel * pairs()) {}

PackedBf16 PackedBf16::Pack(ConstMatrixView b, ThreadPool& pool) {
  PackedBf16 packed(b.rows, b.cols);
  pool.For(packed.panels(), [&](size_t panel) {
    const size_t first = panel * kPanel, count = packed.PanelCols(panel);
    uint32_t* words = packed.words_.data() + panel * packed.pairs() * kPanel;
    for (size_t k = 0; k < packed.pairs(); ++k) PackPair(b, k, first, count, words + k * kPanel);
  });
  return packed;
}

PackedBf16 PackedBf16::PackTransposed(ConstMatrixView b, ThreadPool& pool) {
  PackedBf16 packed(b.cols, b.rows);
  pool.For(packed.panels(), [&](size_t panel) {
    const size_t first = panel * kPanel, count = packed.PanelCols(panel);
    uint32_t* words = packed.words_.data() + panel * packed.pairs() * kPanel;
    std::vector<uint32_t> row(packed.pairs());
    for (size_t c = 0; c < count; ++c) {
      PackRow(b.Row(first + c), row.data());
      for (size_t k = 0; k < row.size(); ++k) words[k * kPanel + c] = row[k];
    }
  });
  return packed;
}

void Bf16Product(ConstMatrixView a, const PackedBf16& b, MatrixView c, float beta, ThreadPool& pool) {
  Check(a.rows, a.cols, b, c);
  const size_t pairs = b.pairs();
  AlignedVector<uint32_t> words(a.rows * pairs);
  pool.For(a.rows, [&](size_t r) { PackRow(a.Row(r), words.data() + r * pairs); });
  Multiply({words.data(), pairs, 1}, b, c, beta, pool);
}

void Bf16ProductTransposed(ConstMatrixView a, const PackedBf16& b, MatrixView c, float beta,
                           ThreadPool& pool) {
  Check(a.cols, a.rows, b, c);
  AlignedVector<uint32_t> words(b.pairs() * a.cols);
  pool.For(b.pairs(), [&](size_t k) { PackPair(a, k, 0, a.cols, words.data() + k * a.cols); });
  Multiply({words.data(), 1, a.cols}, b, c, beta, pool);
}

}  // namespace addend
