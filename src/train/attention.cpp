#include "train/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/vector_ops.h"
#include "linalg/gemm.h"
#include "train/row_math.h"

namespace addend {
namespace {

// Queries that are taken together. Half of the scores in the last tile of keys are computed and thrown away,
// so small tiles waste less; large ones make faster products. Of 32, 64, 128 and 256 this was the fastest at
// heads of 64.
constexpr size_t kQueryTile = 64;

// Consecutive queries of one sequence, and the keys that any of them sees. Counted from the start of the
// sequence.
struct Tile {
  size_t first_query, queries;
  size_t first_key, keys;

  // The part of row r of the tile's scores that the query sees: first column and their number.
  struct Seen {
    size_t first, count;
  };
  Seen SeenBy(size_t r, size_t window) const {
    const size_t query = first_query + r;
    const size_t oldest = window == 0 || query < window ? 0 : query + 1 - window;
    return {oldest - first_key, query + 1 - oldest};
  }
};

Tile TileAt(size_t first_query, const AttentionShape& shape) {
  const size_t queries = std::min(kQueryTile, shape.length - first_query);
  const size_t oldest = shape.window == 0 || first_query < shape.window ? 0 : first_query + 1 - shape.window;
  return {first_query, queries, oldest, first_query + queries - oldest};
}

// What one query head of one sequence works on.
struct Head {
  size_t first_row;  // of the sequence
  size_t query_col, key_col;
  size_t index;

  Head(const AttentionShape& shape, size_t sequence, size_t head)
      : first_row(sequence * shape.length),
        query_col(head * shape.head_dim),
        key_col(head / (shape.heads / shape.kv_heads) * shape.head_dim),
        index(head) {}
};

template <typename View>
View Queries(View m, const Head& head, const Tile& tile, const AttentionShape& shape) {
  return m.Rows(head.first_row + tile.first_query, tile.queries).Cols(head.query_col, shape.head_dim);
}
ConstMatrixView Keys(ConstMatrixView m, const Head& head, const Tile& tile, const AttentionShape& shape) {
  return m.Rows(head.first_row + tile.first_key, tile.keys).Cols(head.key_col, shape.head_dim);
}

// scores = softcap(scale * q k^T), also where the mask will hide them.
void Scores(const AttentionShape& shape, ConstMatrixView q, ConstMatrixView k, MatrixView scores,
            ThreadPool& pool) {
  Gemm(Op::kNone, q, Op::kTranspose, k, scores, pool, shape.scale);
  if (shape.softcap == 0) return;
  for (size_t r = 0; r < scores.rows; ++r) Softcap(shape.softcap, scores.Row(r));
}

void ZeroUnseen(std::span<float> row, Tile::Seen seen) {
  std::fill_n(row.begin(), seen.first, 0.0f);
  std::fill(row.begin() + seen.first + seen.count, row.end(), 0.0f);
}

void ForwardTile(const AttentionShape& shape, const AttentionInputs& inputs, const Head& head,
                 const Tile& tile, MatrixView out, MatrixView log_sum_exp, Workspace& workspace) {
  const Borrowed scores = workspace.Borrow(tile.queries, tile.keys);
  Scores(shape, Queries(inputs.q, head, tile, shape), Keys(inputs.k, head, tile, shape), scores,
         workspace.pool);
  for (size_t r = 0; r < tile.queries; ++r) {
    const Tile::Seen seen = tile.SeenBy(r, shape.window);
    const std::span<float> row = scores.Row(r).subspan(seen.first, seen.count);
    const float largest = RowMax(row);
    const float sum = ExpShifted(row, largest, row);
    Scale(1 / sum, row);
    ZeroUnseen(scores.Row(r), seen);
    log_sum_exp(head.first_row + tile.first_query + r, head.index) = largest + std::log(sum);
  }
  Gemm(Op::kNone, scores, Op::kNone, Keys(inputs.v, head, tile, shape), Queries(out, head, tile, shape),
       workspace.pool);
}

// What the backward pass of a tile reads.
struct BackwardInputs {
  const AttentionInputs& inputs;
  ConstMatrixView out, log_sum_exp, d_out;
};

// Adds to d_k and d_v, which hold the columns of query heads (head h's own share of the gradient of its
// key-value head).
void BackwardTile(const AttentionShape& shape, const BackwardInputs& saved, const Head& head,
                  const Tile& tile, MatrixView d_q, MatrixView d_k, MatrixView d_v, Workspace& workspace) {
  const ConstMatrixView q = Queries(saved.inputs.q, head, tile, shape),
                        k = Keys(saved.inputs.k, head, tile, shape);
  const ConstMatrixView d_out = Queries(saved.d_out, head, tile, shape),
                        out = Queries(saved.out, head, tile, shape);
  const auto of_keys = [&](MatrixView m) {
    return m.Rows(head.first_row + tile.first_key, tile.keys).Cols(head.query_col, shape.head_dim);
  };

  const Borrowed scores = workspace.Borrow(tile.queries, tile.keys);
  const Borrowed probabilities = workspace.Borrow(tile.queries, tile.keys);
  Scores(shape, q, k, scores, workspace.pool);
  for (size_t r = 0; r < tile.queries; ++r) {
    const Tile::Seen seen = tile.SeenBy(r, shape.window);
    ExpShifted(scores.Row(r).subspan(seen.first, seen.count),
               saved.log_sum_exp(head.first_row + tile.first_query + r, head.index),
               probabilities.Row(r).subspan(seen.first, seen.count));
    ZeroUnseen(probabilities.Row(r), seen);
  }
  Gemm(Op::kTranspose, probabilities, Op::kNone, d_out, of_keys(d_v), workspace.pool, 1, 1);

  const Borrowed d_scores = workspace.Borrow(tile.queries, tile.keys);
  Gemm(Op::kNone, d_out, Op::kTranspose, Keys(saved.inputs.v, head, tile, shape), d_scores, workspace.pool);
  for (size_t r = 0; r < tile.queries; ++r) {
    // The sum over keys of p * dp is d_out . out.
    SoftmaxBackward(probabilities.Row(r), Dot(d_out.Row(r), out.Row(r)), d_scores.Row(r), d_scores.Row(r));
    if (shape.softcap != 0) SoftcapBackward(scores.Row(r), shape.softcap, d_scores.Row(r));
  }
  Gemm(Op::kNone, d_scores, Op::kNone, k, Queries(d_q, head, tile, shape), workspace.pool, shape.scale);
  Gemm(Op::kTranspose, d_scores, Op::kNone, q, of_keys(d_k), workspace.pool, shape.scale, 1);
}

// Sums the columns of the query heads that share a key-value head.
void SumGroups(const AttentionShape& shape, ConstMatrixView by_head, MatrixView by_kv_head,
               Workspace& workspace) {
  const size_t group = shape.heads / shape.kv_heads;
  workspace.ForChunks(by_head.rows, kTokenChunk, [&](size_t first, size_t count) {
    for (size_t h = 0; h < shape.heads; ++h) {
      const ConstMatrixView share = by_head.Rows(first, count).Cols(h * shape.head_dim, shape.head_dim);
      const MatrixView sum = by_kv_head.Rows(first, count).Cols(h / group * shape.head_dim, shape.head_dim);
      for (size_t t = 0; t < count; ++t) {
        if (h % group == 0) std::ranges::fill(sum.Row(t), 0.0f);
        Axpy(1, share.Row(t), sum.Row(t));
      }
    }
  });
}

}  // namespace

void AttentionForward(const AttentionShape& shape, const AttentionInputs& inputs, MatrixView out,
                      MatrixView log_sum_exp, Workspace& workspace) {
  const size_t tiles = (shape.length + kQueryTile - 1) / kQueryTile;
  const size_t heads = inputs.q.rows / shape.length * shape.heads;
  workspace.pool.For(heads * tiles, [&](size_t i) {
    // The last tiles see the most keys: they go first, so that no thread is left with a long one in the end.
    const Tile tile = TileAt((tiles - 1 - i / heads) * kQueryTile, shape);
    const Head head(shape, i % heads / shape.heads, i % shape.heads);
    ForwardTile(shape, inputs, head, tile, out, log_sum_exp, workspace);
  });
}

void AttentionBackward(const AttentionShape& shape, const AttentionInputs& inputs, ConstMatrixView out,
                       ConstMatrixView log_sum_exp, ConstMatrixView d_out,
                       const AttentionGradients& gradients, Workspace& workspace) {
  const BackwardInputs saved{inputs, out, log_sum_exp, d_out};
  const Borrowed d_k = workspace.Borrow(out.rows, out.cols), d_v = workspace.Borrow(out.rows, out.cols);
  workspace.pool.For(inputs.q.rows / shape.length * shape.heads, [&](size_t i) {
    const Head head(shape, i / shape.heads, i % shape.heads);
    for (const MatrixView m : {MatrixView(d_k), MatrixView(d_v)}) {
      for (size_t t = 0; t < shape.length; ++t) {
        std::ranges::fill(m.Row(head.first_row + t).subspan(head.query_col, shape.head_dim), 0.0f);
      }
    }
    for (size_t first_query = 0; first_query < shape.length; first_query += kQueryTile) {
      BackwardTile(shape, saved, head, TileAt(first_query, shape), gradients.q, d_k, d_v, workspace);
    }
  });
  SumGroups(shape, d_k, gradients.k, workspace);
  SumGroups(shape, d_v, gradients.v, workspace);
}

}  // namespace addend
