#include "model/runnable_linear.h"

#include <algorithm>

#include "kernels/dense_product.h"
#include "kernels/vector_ops.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

// Outputs decoded at a time: the tile stays in the L2 cache for usual widths.
constexpr size_t kTileRows = 64;

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

std::variant<StoredMatrix, PackedFactors> MakeRunnable(const Linear& linear, ThreadPool& pool) {
  if (const auto* factored = std::get_if<FactoredWeight>(&linear.weight)) return PackedFactors(*factored);
  return WithKernel(std::get<StoredMatrix>(linear.weight), pool);
}

// y = x * w^T.
void DenseProductMany(const StoredMatrix& w, ConstMatrixView x, MatrixView y, ThreadPool& pool) {
  const size_t tiles = (w.rows() + kTileRows - 1) / kTileRows;
  pool.For(tiles, [&](size_t t) {
    const size_t first = t * kTileRows, rows = std::min(kTileRows, w.rows() - first);
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

RunnableLinear::RunnableLinear(const Linear& linear, ThreadPool& pool)
    : weight_(MakeRunnable(linear, pool)), bias_(linear.bias) {}

RunnableLinear::RunnableLinear(const StoredMatrix& weight, ThreadPool& pool)
    : weight_(WithKernel(weight, pool)) {}

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
