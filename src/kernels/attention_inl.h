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
#include "kernels/vector_ops_inl.h"
#include "tensor/matrix.h"

namespace addend::ADDEND_SIMD {

constexpr size_t kTileVectors = 4;
constexpr size_t kPositionTile = 64;  // positions of the cache that are decoded at a time
constexpr size_t kTokenTile = 32;     // new tokens that share a decoded tile
constexpr size_t kFewRows = 8;  // up to this many query rows, transposing the keys costs more than it saves
static_assert(kPositionTile % (kTileVectors * kWidth) == 0);

ADDEND_TARGET inline Floats LoadCache(const float* p) {
  return Load(p);
}
ADDEND_TARGET inline Floats LoadCache(const float* p, size_t n) {
  return Load(p, n);
}
ADDEND_TARGET inline Floats LoadCache(const uint16_t* p) {
  return LoadHalf(p);
}
ADDEND_TARGET inline Floats LoadCache(const uint16_t* p, size_t n) {
  return LoadHalf(p, n);
}

// to[0..padded) = from[0..n), zeros behind.
template <typename T>
ADDEND_TARGET void Decode(const T* from, size_t n, size_t padded, float* to) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(to + i, LoadCache(from + i));
  for (; i < padded; i += kWidth) {
    Store(to + i, i < n ? LoadCache(from + i, n - i) : Set(0));
  }
}

ADDEND_TARGET inline void Decode(const ggml::BlockQ8_0* from, size_t n, size_t padded, float* to) {
  for (size_t i = 0; i < n; i += ggml::BlockQ8_0::kElements, ++from) {
    const Floats scale = SetHalf(from->d);
    for (size_t j = 0; j < ggml::BlockQ8_0::kElements; j += kWidth)
      Store(to + i + j, LoadInt8(from->q + j) * scale);
  }
  std::fill(to + n, to + padded, 0.0f);
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
  AlignedVector<float> queries, keys, values, scores, out;
  AlignedVector<OnlineSoftmax> states;
};

// scores(i, p) = queries.Row(i) . keys[p] for `count` positions.
template <typename T>
ADDEND_TARGET void ScoreTile(ConstMatrixView queries, const T* keys, size_t stride, size_t count,
                             AlignedVector<float>& memory, MatrixView scores) {
  const size_t dim = queries.cols, padded = (dim + kWidth - 1) / kWidth * kWidth;
  memory.resize(padded + dim * kPositionTile);
  float* key = memory.data();
  if (queries.rows <= kFewRows) {
    for (size_t p = 0; p < count; ++p) {
      Decode(keys + p * stride, dim, padded, key);
      for (size_t i = 0; i < queries.rows; ++i)
        scores(i, p) = Dot(&queries.data[i * queries.stride], key, dim);
    }
    return;
  }
  const MatrixView transposed = {key + padded, dim, kPositionTile, kPositionTile};
  for (size_t p = 0; p < kPositionTile; ++p) {
    Decode(keys + std::min(p, count - 1) * stride, dim, padded, key);  // scores past `count` are not used
    for (size_t d = 0; d < dim; ++d) transposed(d, p) = key[d];
  }
  for (size_t i = 0; i < scores.rows; ++i) std::fill(&scores(i, 0), &scores(i, 0) + kPositionTile, 0.0f);
  AddProduct(queries, transposed, scores);
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
  scratch.values.resize(kPositionTile * padded_dim);
  scratch.scores.resize(rows * kPositionTile);
  scratch.out.assign(rows * padded_dim, 0.0f);
  scratch.states.assign(rows, OnlineSoftmax{});
  const MatrixView scaled = {scratch.queries.data(), rows, dim, dim};
  const MatrixView values = {scratch.values.data(), kPositionTile, padded_dim, padded_dim};
  const MatrixView scores = {scratch.scores.data(), rows, kPositionTile, kPositionTile};
  const MatrixView sums = {scratch.out.data(), rows, padded_dim, padded_dim};
  for (size_t i = 0; i < rows; ++i) {
    const float* from = queries.data + i / heads * queries.stride + i % heads * dim;
    for (size_t d = 0; d < dim; ++d) scaled(i, d) = from[d] * options.scale;
  }

  const size_t end = first_position + queries.rows;
  for (size_t tile = FirstSeen(first_position, options.window); tile < end; tile += kPositionTile) {
    const size_t count = std::min(kPositionTile, end - tile);
    ScoreTile(scaled, cache.keys + tile * cache.stride, cache.stride, count, scratch.keys, scores);
    for (size_t i = 0; i < rows; ++i) {
      const size_t position = first_position + i / heads;
      const size_t seen_from = std::max(FirstSeen(position, options.window), tile) - tile,
                   seen_to = std::max(position + 1, tile) - tile;
      const float rescale =
          AddScores(&scores(i, 0), seen_from, std::min(seen_to, count), options.softcap, scratch.states[i]);
      if (rescale != 1) Scale(rescale, &sums(i, 0), padded_dim);
    }
    for (size_t p = 0; p < count; ++p)
      Decode(cache.values + (tile + p) * cache.stride, dim, padded_dim, &values(p, 0));
    AddProduct({scores.data, rows, count, kPositionTile}, values, sums);
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
