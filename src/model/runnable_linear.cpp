#include "model/runnable_linear.h"

#include <algorithm>

#include "kernels/dense_product.h"
#include "kernels/vector_ops.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

// Outputs decoded at a time, about: the library packs x anew for each tile, which fewer outputs would not
// repay, and more would leave less to share among threads.
constexpr size_t kTileRows = 256;

// Up to here reading the weights takes longer than multiplying by them, and rows are decoded in registers.
constexpr size_t kFewTokens = 8;

StoredMatrix WithKernel(const StoredMatrix& w, ThreadPool& pool) {
  if (HasDenseKernel(w.type())) return w;
  const size_t row_bytes = BytesOf(DType::kF16, w.cols());
  std::vector<std::byte> decoded(w.rows() * row_bytes);
  pool.For(w.rows(), [&](size_t r) {
    std::vector<float> row(w.cols());
    w.ReadRow(r, row);
    Quantize(DType::kF16, row, std::span(decoded).subspan(r * row_bytes, row_bytes));
  });
  return StoredMatrix(DType::kF16, w.rows(), w.cols(), std::move(decoded));
}

std::variant<StoredMatrix, PackedFactors> MakeRunnable(const Linear& linear, WeightMemory& memory,
                                                       ThreadPool& pool) {
  if (const auto* factored = std::get_if<FactoredWeight>(&linear.weight))
    return PackedFactors(*factored, memory);
  return WithKernel(std::get<StoredMatrix>(linear.weight), pool);
}

// Even tiles, an even number of them: two or four threads end together. By the shape only, so that the number
// of threads does not change the result.
size_t TileRows(size_t rows) {
  const size_t pairs = (rows + 2 * kTileRows - 1) / (2 * kTileRows);
  return (rows + 2 * pairs - 1) / (2 * pairs);
}

// y = x * w^T.
void DenseProductMany(const StoredMatrix& w, ConstMatrixView x, MatrixView y, ThreadPool& pool) {
  const size_t tile_rows = TileRows(w.rows());
  pool.For((w.rows() + tile_rows - 1) / tile_rows, [&](size_t t) {
    const size_t first = t * tile_rows, rows = std::min(tile_rows, w.rows() - first);
    Matrix tile(rows, w.cols());
    for (size_t r = 0; r < rows; ++r) w.ReadRow(first + r, tile.Row(r));
    Gemm(Op::kNone, x, Op::kTranspose, tile, y.Cols(first, rows), pool);
  });
}

void DenseProduct(const StoredMatrix& w, ConstMatrixView x, MatrixView y, ThreadPool& pool) {
  if (x.rows <= kFewTokens) {
    DenseProductFew({w.type(), w.rows(), w.cols(), w.bytes()}, x, y, pool);
  } else {
    DenseProductMany(w, x, y, pool);
  }
}

}  // namespace

RunnableLinear::RunnableLinear(const Linear& linear, WeightMemory& memory, ThreadPool& pool)
    : weight_(MakeRunnable(linear, memory, pool)), bias_(linear.bias) {}

size_t RunnableLinear::outputs() const {
  if (const auto* factors = std::get_if<PackedFactors>(&weight_)) return factors->outputs();
  return std::get<StoredMatrix>(weight_).rows();
}

size_t RunnableLinear::inputs() const {
  if (const auto* factors = std::get_if<PackedFactors>(&weight_)) return factors->inputs();
  return std::get<StoredMatrix>(weight_).cols();
}

void RunnableLinear::Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision) const {
  if (const auto* factors = std::get_if<PackedFactors>(&weight_)) {
    factors->Apply(x, y, pool, precision);
  } else {
    DenseProduct(std::get<StoredMatrix>(weight_), x, y, pool);
  }
  if (bias_.empty()) return;
  for (size_t t = 0; t < y.rows; ++t) Axpy(1, bias_, y.Row(t));
}

}  // namespace addend
