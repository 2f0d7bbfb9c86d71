// The loops of attention.h over the vectors of one target: see simd_inl.h.
//
// Both products are the same small matrix product, C += A B, with a row of B in vectors:
//   scores (queries x positions) = queries (queries x head_dim) * keys^T (head_dim x positions)
//   output (queries x head_dim) += weights (queries x positions) * values (positions x head_dim)
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "kernels/attention.h"
#include "kernels/prefetch.h"
#include "kernels/vector_ops_inl.h"
#include "tensor/matrix.h"

namespace addend::ADDEND_SIMD {

constexpr size_t kTileVectors = 4;
constexpr size_t kPositionTile = 64;  // positions of the cache that are decoded at a time
constexpr size_t kTokenTile = 32;     // new tokens that share a decoded tile
// Up to this many query rows, each product decodes keys and values in registers, for some rows together.
constexpr size_t kFewRows = 8;
constexpr size_t kRowsTogether = 4;
constexpr size_t kFewVectors = kQueryTile < kRowsTogether ? 2 : 4;  // of sums for each of these rows
static_assert(kPositionTile % (kTileVectors * kWidth) == 0);

// Elements i, i + 1, ... of a row of the cache; the last n < kWidth of them, and zeros.
ADDEND_TARGET inline Floats LoadCache(const float* row, size_t i) {
  return Load(row + i);
}
ADDEND_TARGET inline Floats LoadCache(const float* row, size_t i, size_t n) {
  return Load(row + i, n);
}
ADDEND_TARGET inline Floats LoadCache(const uint16_t* row, size_t i) {
  return LoadHalf(row + i);
}
ADDEND_TARGET inline Floats LoadCache(const uint16_t* row, size_t i, size_t n) {
  return LoadHalf(row + i, n);
}
ADDEND_TARGET inline Floats LoadCache(const ggml::BlockQ8_0* row, size_t i) {
  const ggml::BlockQ8_0& block = row[i / ggml::BlockQ8_0::kElements];
  return LoadInt8(block.q + i % ggml::BlockQ8_0::kElements) * SetHalf(block.d);
}
ADDEND_TARGET inline Floats LoadCache(const ggml::BlockQ8_0*, size_t, size_t) {
  return Set(0);  // its rows are whole blocks, and blocks whole vectors: n is 0
}

// to[0..padded) = row[0..n), zeros behind.
template <typename T>
ADDEND_TARGET void Decode(const T* row, size_t n, size_t padded, float* to) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(to + i, LoadCache(row, i));
  for (; i < padded; i += kWidth) Store(to + i, i < n ? LoadCache(row, i, n - i) : Set(0));
}

// c (kRows x kTileVectors vectors) += a (kRows x depth) * b (depth x the same vectors).
template <size_t kRows>
ADDEND_TARGET void MultiplyTile(const float* a, size_t a_stride, const float* b, size_t b_stride,
                                size_t depth, float* c, size_t c_stride) {
  Floats sums[kRows][kTileVectors];
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kTileVectors; ++j) sums[i][j] = Load(c + i * c_stride + j * kWidth);
  }
  for (size_t k = 0; k < depth; ++k) {
    Floats row[kTileVectors];
    for (size_t j = 0; j < kTileVectors; ++j) row[j] = Load(b + k * b_stride + j * kWidth);
    for (size_t i = 0; i < kRows; ++i) {
      const Floats factor = Set(a[i * a_stride + k]);
      for (size_t j = 0; j < kTileVectors; ++j) sums[i][j] = MultiplyAdd(factor, row[j], sums[i][j]);
    }
  }
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kTileVectors; ++j) Store(c + i * c_stride + j * kWidth, sums[i][j]);
  }
}

// c (a.rows x c.cols) += a * b; c.cols is a multiple of kTileVectors vectors.
ADDEND_TARGET inline void AddProduct(ConstMatrixView a, ConstMatrixView b, MatrixView c) {
  for (size_t j = 0; j < c.cols; j += kTileVectors * kWidth) {
    size_t i = 0;
    for (; i + kQueryTile <= a.rows; i += kQueryTile) {
      MultiplyTile<kQueryTile>(a.data + i * a.stride, a.stride, b.data + j, b.stride, a.cols, &c(i, j),
                               c.stride);
    }
    for (; i < a.rows; ++i) {
      MultiplyTile<1>(a.data + i * a.stride, a.stride, b.data + j, b.stride, a.cols, &c(i, j), c.stride);
    }
  }
}

// One query row (a token's head) of a tile: its running softmax.
struct OnlineSoftmax {
  float largest = -std::numeric_limits<float>::infinity();
  float sum = 0;
};

// Turns the scores of positions [begin, end) of a tile into weights relative to the largest score so far,
// zero outside; returns what the output so far must be multiplied by.
ADDEND_TARGET inline float AddScores(float* scores, size_t begin, size_t end, float softcap,
                                     OnlineSoftmax& state) {
  if (begin >= end) {
    std::fill(scores, scores + kPositionTile, 0.0f);
    return 1;
  }
  if (softcap > 0) Softcap(softcap, scores + begin, end - begin);
  const float largest = std::max(state.largest, LargestOf(scores + begin, end - begin));
  const float rescale = state.sum > 0 ? std::exp(state.largest - largest) : 0.0f;
  std::fill(scores, scores + begin, 0.0f);
  std::fill(scores + end, scores + kPositionTile, 0.0f);
  state.sum = state.sum * rescale + ExpAndSum(scores + begin, end - begin, largest);
  state.largest = largest;
  return rescale;
}

// Memory of a call, kept from call to call.
struct AttentionScratch {
  AlignedVector<float> queries, decoded, scores, out;
  AlignedVector<OnlineSoftmax> states;
};

// Positions of the cache that are multiplied at a time.
template <typename T>
struct CacheTile {
  const T* rows;
  size_t stride, count;

  const T* Row(size_t p) const { return rows + p * stride; }
};

// scores(i, p) = queries.Row(i) . keys.Row(p).
template <size_t kRows, typename T>
ADDEND_TARGET void ScoreRows(ConstMatrixView queries, const CacheTile<T>& keys, MatrixView scores) {
  const size_t dim = queries.cols, whole = dim / kWidth * kWidth;
  for (size_t p = 0; p < keys.count; ++p) {
    const T* key = keys.Row(p);
    Floats sums[kRows] = {};
    for (size_t d = 0; d < whole; d += kWidth) {
      const Floats k = LoadCache(key, d);
      for (size_t i = 0; i < kRows; ++i)
        sums[i] = MultiplyAdd(Load(queries.data + i * queries.stride + d), k, sums[i]);
    }
    if (whole < dim) {
      const Floats k = LoadCache(key, whole, dim - whole);
      for (size_t i = 0; i < kRows; ++i)
        sums[i] = MultiplyAdd(Load(queries.data + i * queries.stride + whole, dim - whole), k, sums[i]);
    }
    for (size_t i = 0; i < kRows; ++i) scores(i, p) = Sum(sums[i]);
  }
}

// out(i, d) += sum over p of weights(i, p) * values.Row(p)[d], for kVectors vectors from d on; of the last
// one n < kWidth elements when n is given.
template <size_t kRows, size_t kVectors, typename T>
ADDEND_TARGET void AddRowsAt(size_t d, size_t n, ConstMatrixView weights, const CacheTile<T>& values,
                             MatrixView out) {
  Floats sums[kRows][kVectors];
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kVectors; ++j) sums[i][j] = Load(&out(i, d + j * kWidth));
  }
  for (size_t p = 0; p < values.count; ++p) {
    Floats value[kVectors];
    for (size_t j = 0; j < kVectors; ++j)
      value[j] = n == 0 ? LoadCache(values.Row(p), d + j * kWidth) : LoadCache(values.Row(p), d, n);
    for (size_t i = 0; i < kRows; ++i) {
      const Floats weight = Set(weights.data[i * weights.stride + p]);
      for (size_t j = 0; j < kVectors; ++j) sums[i][j] = MultiplyAdd(weight, value[j], sums[i][j]);
    }
  }
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kVectors; ++j) Store(&out(i, d + j * kWidth), sums[i][j]);
  }
}

// The same for all d below `dim`. Rows of out have room for whole vectors.
template <size_t kRows, typename T>
ADDEND_TARGET void AddRows(ConstMatrixView weights, const CacheTile<T>& values, size_t dim, MatrixView out) {
  constexpr size_t kStep = kFewVectors * kWidth;
  size_t d = 0;
  for (; d + kStep <= dim; d += kStep) AddRowsAt<kRows, kFewVectors>(d, 0, weights, values, out);
  for (; d + kWidth <= dim; d += kWidth) AddRowsAt<kRows, 1>(d, 0, weights, values, out);
  if (d < dim) AddRowsAt<kRows, 1>(d, dim - d, weights, values, out);
}

// Calls multiply.operator()<kRows>(first) for all `rows`, up to kRowsTogether together.
template <typename Multiply>
void ForRows(size_t rows, const Multiply& multiply) {
  static_assert(kRowsTogether == 4);
  for (size_t first = 0; first < rows; first += kRowsTogether) {
    switch (std::min(kRowsTogether, rows - first)) {
      case 1:
        multiply.template operator()<1>(first);
        break;
      case 2:
        multiply.template operator()<2>(first);
        break;
      case 3:
        multiply.template operator()<3>(first);
        break;
      default:
        multiply.template operator()<4>(first);
    }
  }
}

// scores(i, p) = queries.Row(i) . keys.Row(p).
template <typename T>
ADDEND_TARGET void ScoreTile(ConstMatrixView queries, const CacheTile<T>& keys, AlignedVector<float>& memory,
                             MatrixView scores) {
  if (queries.rows <= kFewRows) {
    ForRows(queries.rows, [&]<size_t kRows>(size_t first) {
      ScoreRows<kRows>(queries.Rows(first, kRows), keys, scores.Rows(first, kRows));
    });
    return;
  }
  const size_t dim = queries.cols, padded = (dim + kWidth - 1) / kWidth * kWidth;
  memory.resize(padded + dim * kPositionTile);
  float* key = memory.data();
  const MatrixView transposed = {key + padded, dim, kPositionTile, kPositionTile};
  for (size_t p = 0; p < kPositionTile; ++p) {
    Decode(keys.Row(std::min(p, keys.count - 1)), dim, padded, key);  // scores past `count` are not used
    for (size_t d = 0; d < dim; ++d) transposed(d, p) = key[d];
  }
  for (size_t i = 0; i < scores.rows; ++i) std::fill(&scores(i, 0), &scores(i, 0) + kPositionTile, 0.0f);
  AddProduct(queries, transposed, scores);
}

// sums.Row(i) += sum over p of weights(i, p) * values.Row(p), for all `dim` columns.
template <typename T>
ADDEND_TARGET void AddTile(ConstMatrixView weights, const CacheTile<T>& values, size_t dim,
                           AlignedVector<float>& memory, MatrixView sums) {
  if (sums.rows <= kFewRows) {
    ForRows(sums.rows, [&]<size_t kRows>(size_t first) {
      AddRows<kRows>(weights.Rows(first, kRows), values, dim, sums.Rows(first, kRows));
    });
    return;
  }
  memory.resize(kPositionTile * sums.cols);
  const MatrixView decoded = {memory.data(), values.count, sums.cols, sums.cols};
  for (size_t p = 0; p < values.count; ++p) Decode(values.Row(p), dim, sums.cols, &decoded(p, 0));
  AddProduct({weights.data, sums.rows, values.count, weights.stride}, decoded, sums);
}

inline size_t FirstSeen(size_t position, size_t window) {
  return window > 0 && position + 1 > window ? position + 1 - window : 0;
}

// Attention for up to kTokenTile tokens.
template <typename T>
ADDEND_TARGET void AttentionTile(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
                                 const AttentionOptions& options, MatrixView out) {
  thread_local AttentionScratch scratch;
  const size_t dim = cache.head_dim, heads = queries.cols / dim, rows = queries.rows * heads;
  constexpr size_t kStep = kTileVectors * kWidth;
  const size_t padded_dim = (dim + kStep - 1) / kStep * kStep;

  // One row for each token and head; row i belongs to token i / heads.
  scratch.queries.resize(rows * dim);
  scratch.scores.resize(rows * kPositionTile);
  scratch.out.assign(rows * padded_dim, 0.0f);
  scratch.states.assign(rows, OnlineSoftmax{});
  const MatrixView scaled = {scratch.queries.data(), rows, dim, dim};
  const MatrixView scores = {scratch.scores.data(), rows, kPositionTile, kPositionTile};
  const MatrixView sums = {scratch.out.data(), rows, padded_dim, padded_dim};
  for (size_t i = 0; i < rows; ++i) {
    const float* from = queries.data + i / heads * queries.stride + i % heads * dim;
    for (size_t d = 0; d < dim; ++d) scaled(i, d) = from[d] * options.scale;
  }

  const size_t end = first_position + queries.rows;
  const size_t first = FirstSeen(first_position, options.window);
  for (size_t tile = first; tile < end; tile += kPositionTile) {
    const size_t count = std::min(kPositionTile, end - tile);
    // Nothing is read twice by a token, so it all comes from memory: what the next loop reads is asked for
    // while this one computes.
    const CacheTile<T> keys = {cache.keys + tile * cache.stride, cache.stride, count},
                       values = {cache.values + tile * cache.stride, cache.stride, count};
    const size_t row_bytes = cache.stride * sizeof(T);
    if (tile == first) Prefetch(keys.rows, count * row_bytes);
    Prefetch(values.rows, count * row_bytes);
    ScoreTile(scaled, keys, scratch.decoded, scores);
    for (size_t i = 0; i < rows; ++i) {
      const size_t position = first_position + i / heads;
      const size_t seen_from = std::max(FirstSeen(position, options.window), tile) - tile,
                   seen_to = std::max(position + 1, tile) - tile;
      const float rescale =
          AddScores(&scores(i, 0), seen_from, std::min(seen_to, count), options.softcap, scratch.states[i]);
      if (rescale != 1) Scale(rescale, &sums(i, 0), padded_dim);
    }
    Prefetch(keys.Row(count), std::min(kPositionTile, end - tile - count) * row_bytes);
    AddTile(scores, values, dim, scratch.decoded, sums);
  }

  for (size_t i = 0; i < rows; ++i) {
    float* to = out.data + i / heads * out.stride + i % heads * dim;
    for (size_t d = 0; d < dim; ++d) to[d] = sums(i, d) / scratch.states[i].sum;
  }
}

template <typename T>
ADDEND_TARGET void Attention(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
                             const AttentionOptions& options, MatrixView out) {
  for (size_t i = 0; i < queries.rows; i += kTokenTile) {
    const size_t count = std::min(kTokenTile, queries.rows - i);
    AttentionTile(cache, queries.Rows(i, count), first_position + i, options, out.Rows(i, count));
  }
}

}  // namespace addend::ADDEND_SIMD
