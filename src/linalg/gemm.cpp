#include "linalg/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "linalg/blas_setup.h"

namespace addend {
namespace {

constexpr size_t kVector = 16;  // floats

size_t Tiles(size_t extent, size_t tile) {
  return (extent + tile - 1) / tile;
}

// The size of equal tiles, none above `largest`. More than one tile means a multiple of `multiple`, so that
// threads end together.
size_t TileSize(size_t extent, size_t largest, size_t multiple) {
  if (extent <= largest) return extent;
  const size_t tiles = Tiles(extent, largest * multiple) * multiple;
  return (extent + tiles * kVector - 1) / (tiles * kVector) * kVector;
}

struct Tile {
  size_t rows, cols;
};

// The part of a rows x cols result in one call of the library, which copies its operands first: large tiles
// copy less, small ones give more threads something to do. Depends on the shape alone, as the result must.
Tile TileFor(size_t rows, size_t cols) {
  constexpr Tile kSizes[] = {{512, 768}, {512, 384}, {256, 384}, {256, 192}};
  constexpr size_t kWantedTiles = 16;
  Tile tile{};
  for (const Tile& size : kSizes) {
    tile = {TileSize(rows, size.rows, 1), TileSize(cols, size.cols, 2)};
    if (Tiles(rows, tile.rows) * Tiles(cols, tile.cols) >= kWantedTiles) break;
  }
  return tile;
}

constexpr size_t kGramTile = 192;

size_t Rows(Op op, ConstMatrixView m) {
  return op == Op::kNone ? m.rows : m.cols;
}
size_t Cols(Op op, ConstMatrixView m) {
  return op == Op::kNone ? m.cols : m.rows;
}
ConstMatrixView RowsOf(Op op, ConstMatrixView m, size_t first, size_t count) {
  return op == Op::kNone ? m.Rows(first, count) : m.Cols(first, count);
}
ConstMatrixView ColsOf(Op op, ConstMatrixView m, size_t first, size_t count) {
  return op == Op::kNone ? m.Cols(first, count) : m.Rows(first, count);
}
CBLAS_TRANSPOSE Blas(Op op) {
  return op == Op::kNone ? CblasNoTrans : CblasTrans;
}

struct Shape {
  size_t rows, cols;
};
std::ostream& operator<<(std::ostream& out, Shape shape) {
  return out << "[" << shape.rows << ", " << shape.cols << "]";
}

void CheckShapes(Op op_a, ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c) {
  const size_t rows = Rows(op_a, a), depth = Cols(op_a, a), cols = Cols(op_b, b);
  if (Rows(op_b, b) != depth || c.rows != rows || c.cols != cols) {
    throw Error("gemm: ", Shape{rows, depth}, " x ", Shape{Rows(op_b, b), cols}, " does not give ",
                Shape{c.rows, c.cols});
  }
  constexpr size_t kLargest = std::numeric_limits<blasint>::max();
  if (std::max({a.stride, b.stride, c.stride, rows, depth, cols}) > kLargest) {
    throw Error("gemm: a dimension of ", Shape{rows, depth}, " x ", Shape{depth, cols}, " is beyond ",
                kLargest);
  }
}

void Scale(MatrixView c, float beta) {
  for (size_t r = 0; r < c.rows; ++r) {
    for (float& value : c.Row(r)) value = beta == 0 ? 0 : beta * value;  // beta 0 overwrites NaN, as in BLAS
  }
}

// One call of the library. The shapes fit, and nothing is empty.
void SerialGemm(Op op_a, ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c, float alpha,
                float beta) {
  const auto size = [](size_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, Blas(op_a), Blas(op_b), size(c.rows), size(c.cols), size(Cols(op_a, a)), alpha,
              a.data, size(a.stride), b.data, size(b.stride), beta, c.data, size(c.stride));
}

void CopyLowerToUpper(MatrixView c) {
  for (size_t r = 0; r < c.rows; ++r) {
    for (size_t k = 0; k < r; ++k) c(k, r) = c(r, k);
  }
}

// c += alpha * op(a) op(a)^T. Products of the lower block rows rather than ssyrk: as fast, and each is a task
// of its own.
void AddSymmetric(Op op, ConstMatrixView a, float alpha, MatrixView c, ThreadPool& pool) {
  const Op other = op == Op::kNone ? Op::kTranspose : Op::kNone;
  CheckShapes(op, a, other, a, c);
  SetUpBlas();
  if (a.rows == 0 || a.cols == 0) return;
  const size_t tile = TileSize(c.rows, kGramTile, 1);
  pool.For(Tiles(c.rows, tile), [&](size_t i) {
    const size_t first = i * tile, count = std::min(tile, c.rows - first);
    SerialGemm(op, RowsOf(op, a, first, count), other, RowsOf(op, a, 0, first + count),
               c.Rows(first, count).Cols(0, first + count), alpha, 1);
  });
  CopyLowerToUpper(c);
}

struct CheckCase {
  size_t rows, cols, depth;
  Op op_a, op_b;
};

// "" or what is wrong with the library's product of random matrices of these shapes.
std::string CheckProduct(const CheckCase& shape, ThreadPool& pool) {
  Rng rng(1, "blas check");
  const auto random = [&rng](Op op, size_t rows, size_t cols) {
    Matrix m = op == Op::kNone ? Matrix(rows, cols) : Matrix(cols, rows);
    for (float& value : m.values()) value = rng.Normal();
    return m;
  };
  const Matrix a = random(shape.op_a, shape.rows, shape.depth),
               b = random(shape.op_b, shape.depth, shape.cols);
  const Matrix rows_a = shape.op_a == Op::kNone ? a : Transpose(a);
  const Matrix rows_b = shape.op_b == Op::kNone ? Transpose(b) : b;
  Matrix c(shape.rows, shape.cols);
  Gemm(shape.op_a, a, shape.op_b, b, c, pool);
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t j = 0; j < shape.cols; ++j) {
      double exact = 0, magnitude = 0;
      for (size_t k = 0; k < shape.depth; ++k) {
        const double term = static_cast<double>(rows_a(i, k)) * rows_b(j, k);
        exact += term;
        magnitude += std::abs(term);
      }
      // A float32 sum of `depth` products is off by at most (depth + 1) 2^-24 of the sum of their magnitudes.
      const double bound = static_cast<double>(shape.depth + 1) * 0x1p-24 * magnitude;
      if (!(std::abs(c(i, j) - exact) <= bound)) {
        std::ostringstream text;
        text << "OpenBLAS (" << BlasKernels() << " kernels) is wrong here: element " << i << ", " << j
             << " of a " << Shape{shape.rows, shape.depth} << " x " << Shape{shape.depth, shape.cols}
             << " product is " << c(i, j) << ", " << exact << " expected; try OPENBLAS_CORETYPE=Haswell";
        return text.str();
      }
    }
  }
  return "";
}

}  // namespace

void Gemm(Op op_a, ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c, ThreadPool& pool, float alpha,
          float beta) {
  CheckShapes(op_a, a, op_b, b, c);
  SetUpBlas();
  if (c.rows == 0 || c.cols == 0) return;
  if (Cols(op_a, a) == 0) return Scale(c, beta);
  const Tile tile = TileFor(c.rows, c.cols);
  const size_t across = Tiles(c.cols, tile.cols);
  pool.For(Tiles(c.rows, tile.rows) * across, [&](size_t i) {
    const size_t row = i / across * tile.rows, rows = std::min(tile.rows, c.rows - row);
    const size_t col = i % across * tile.cols, cols = std::min(tile.cols, c.cols - col);
    SerialGemm(op_a, RowsOf(op_a, a, row, rows), op_b, ColsOf(op_b, b, col, cols),
               c.Rows(row, rows).Cols(col, cols), alpha, beta);
  });
}

void AddGram(ConstMatrixView a, float alpha, MatrixView c, ThreadPool& pool) {
  AddSymmetric(Op::kTranspose, a, alpha, c, pool);
}

void AddRowGram(ConstMatrixView a, float alpha, MatrixView c, ThreadPool& pool) {
  AddSymmetric(Op::kNone, a, alpha, c, pool);
}

std::string CheckBlas() {
  // Around the sizes at which the library changes its kernels: vectors, tiles, and its special case of small
  // products.
  constexpr CheckCase kCases[] = {
      {1, 1, 1, Op::kNone, Op::kNone},
      {16, 16, 16, Op::kNone, Op::kNone},
      {7, 33, 65, Op::kNone, Op::kTranspose},
      {129, 100, 257, Op::kTranspose, Op::kNone},
      {31, 250, 48, Op::kTranspose, Op::kTranspose},
      {250, 31, 600, Op::kNone, Op::kNone},
  };
  ThreadPool one(1);
  for (const CheckCase& shape : kCases) {
    std::string wrong = CheckProduct(shape, one);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string BlasKernels() {
  SetUpBlas();
  return openblas_get_corename();
}

}  // namespace addend
