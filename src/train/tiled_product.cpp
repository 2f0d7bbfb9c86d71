#include "train/tiled_product.h"

#include <algorithm>

namespace addend {
namespace {

// A tile of this size has the speed of a whole product.
constexpr size_t kTileRows = 256, kTileCols = 192;
constexpr size_t kVector = 16;

// Columns of a tile. More than one tile means an even number of them, so that two threads end together.
size_t TileCols(size_t cols) {
  if (cols <= kTileCols) return std::max<size_t>(cols, 1);
  const size_t tiles = (cols + 2 * kTileCols - 1) / (2 * kTileCols) * 2;
  return (cols + tiles * kVector - 1) / (tiles * kVector) * kVector;
}

}  // namespace

void TiledProduct(ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c, float beta,
                  Workspace& workspace) {
  const size_t tile_cols = TileCols(c.cols);
  const size_t col_tiles = (c.cols + tile_cols - 1) / tile_cols,
               row_tiles = (c.rows + kTileRows - 1) / kTileRows;
  workspace.pool.For(row_tiles * col_tiles, [&](size_t i) {
    const size_t row = i / col_tiles * kTileRows, rows = std::min(kTileRows, c.rows - row);
    const size_t col = i % col_tiles * tile_cols, cols = std::min(tile_cols, c.cols - col);
    Gemm(Op::kNone, a.Rows(row, rows), op_b, op_b == Op::kNone ? b.Cols(col, cols) : b.Rows(col, cols),
         c.Rows(row, rows).Cols(col, cols), workspace.pool, 1, beta);
  });
}

}  // namespace addend
