#include "model/model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/threads.h"
#include "linalg/gemm.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

void CheckBytes(DType type, size_t rows, size_t cols, size_t bytes) {
  const DTypeInfo& info = Info(type);
  if (cols % info.block_elements != 0) {
    throw Error("a matrix of ", info.name, " with ", cols, " columns: must be a multiple of ",
                info.block_elements);
  }
  if (bytes != rows * BytesOf(type, cols)) {
    throw Error("a ", rows, " x ", cols, " matrix of ", info.name, " has ", bytes, " bytes, needs ",
                rows * BytesOf(type, cols));
  }
}

void ScaleRowsAndCols(std::span<const float> rows, std::span<const float> cols, MatrixView m) {
  for (size_t r = 0; r < m.rows; ++r) {
    for (size_t c = 0; c < m.cols; ++c) m(r, c) *= rows[r] * cols[c];
  }
}

// FactoredWeight::ToDense by way of gemm: minutes instead of hours for a model of billions of weights.
Matrix MultipliedOut(const FactoredWeight& weight) {
  Matrix left = weight.A.ToDense(), right = weight.B.ToDense();
  ScaleRowsAndCols(weight.a, weight.mid, left);
  ScaleRowsAndCols(std::vector<float>(weight.rank(), 1.0f), weight.b, right);
  Matrix product(weight.outputs(), weight.inputs());
  ThreadPool pool;
  Gemm(Op::kNone, left, Op::kNone, right, product, pool);
  return product;
}

}  // namespace

StoredMatrix::StoredMatrix(DType type, size_t rows, size_t cols, std::span<const std::byte> view)
    : type_(type), rows_(rows), cols_(cols), view_(view) {
  CheckBytes(type, rows, cols, view.size());
}

StoredMatrix::StoredMatrix(DType type, size_t rows, size_t cols, std::vector<std::byte> owned)
    : type_(type), rows_(rows), cols_(cols) {
  CheckBytes(type, rows, cols, owned.size());
  owned_ = std::make_shared<const std::vector<std::byte>>(std::move(owned));
}

StoredMatrix StoredMatrix::FromFloats(ConstMatrixView values, DType type) {
  const size_t row_bytes = BytesOf(type, values.cols);
  std::vector<std::byte> bytes(values.rows * row_bytes);
  for (size_t r = 0; r < values.rows; ++r) {
    Quantize(type, values.Row(r), std::span(bytes).subspan(r * row_bytes, row_bytes));
  }
  return StoredMatrix(type, values.rows, values.cols, std::move(bytes));
}

std::span<const std::byte> StoredMatrix::RowBytes(size_t r) const {
  const size_t row_bytes = BytesOf(type_, cols_);
  return bytes().subspan(r * row_bytes, row_bytes);
}

void StoredMatrix::ReadRow(size_t r, std::span<float> out) const {
  Dequantize(type_, RowBytes(r), out);
}

Matrix StoredMatrix::ToDense() const {
  Matrix dense(rows_, cols_);
  for (size_t r = 0; r < rows_; ++r) ReadRow(r, dense.Row(r));
  return dense;
}

size_t Linear::outputs() const {
  if (const auto* factors = std::get_if<FactoredWeight>(&weight)) return factors->outputs();
  return std::get<StoredMatrix>(weight).rows();
}

size_t Linear::inputs() const {
  if (const auto* factors = std::get_if<FactoredWeight>(&weight)) return factors->inputs();
  return std::get<StoredMatrix>(weight).cols();
}

double Linear::Bits() const {
  const auto count = static_cast<double>(size());
  if (const auto* factors = std::get_if<FactoredWeight>(&weight))
    return count * BitsPerWeight(outputs(), inputs(), factors->rank());
  return 8.0 * static_cast<double>(std::get<StoredMatrix>(weight).bytes().size());
}

Matrix Linear::ToDense() const {
  if (const auto* factors = std::get_if<FactoredWeight>(&weight)) return MultipliedOut(*factors);
  return std::get<StoredMatrix>(weight).ToDense();
}

std::string_view Name(LinearKind kind) {
  return GgufNames().linears[static_cast<size_t>(kind)];
}

std::string LinearName(size_t block, LinearKind kind) {
  return std::string(GgufNames().block_prefix) + std::to_string(block) + "." + std::string(Name(kind));
}

LinearShape ShapeOf(const ModelConfig& config, LinearKind kind) {
  switch (kind) {
    case LinearKind::kQ:
      return {config.q_size(), config.hidden};
    case LinearKind::kK:
    case LinearKind::kV:
      return {config.kv_size(), config.hidden};
    case LinearKind::kO:
      return {config.hidden, config.q_size()};
    case LinearKind::kGate:
    case LinearKind::kUp:
      return {config.feed_forward, config.hidden};
    case LinearKind::kDown:
      return {config.hidden, config.feed_forward};
  }
  throw Error("not a kind of linear: ", static_cast<int>(kind));
}

namespace {

// Scans matrices in parallel; keeps the first one (in file order) that is not finite.
class FiniteChecker {
 public:
  explicit FiniteChecker(const std::string& origin) : origin_(origin) {}

  void Embedding(const std::string& name, const addend::Linear& linear) { Weight(name, linear); }

  void Linear(const std::string& name, const addend::Linear& linear, LinearKind) {
    Weight(name, linear);
    Norm(name + ".bias", linear.bias, linear.bias.size());
  }

  void Norm(const std::string& name, const std::vector<float>& values, size_t) {
    const size_t bad = FirstNonFinite(values);
    if (bad != values.size()) throw Error(origin_, ": tensor '", name, "': value ", bad, " is not finite");
  }

 private:
  void Weight(const std::string& name, const addend::Linear& linear) {
    if (const auto* dense = std::get_if<StoredMatrix>(&linear.weight)) {
      Rows(name + ".weight", *dense);
    } else {
      WithContext(origin_ + ": '" + name + "'", [&] { std::get<FactoredWeight>(linear.weight).Validate(); });
    }
  }

  void Rows(const std::string& name, const StoredMatrix& matrix) {
    constexpr size_t kChunk = 64;  // rows for each turn of a thread
    const size_t chunks = (matrix.rows() + kChunk - 1) / kChunk;
    std::vector<size_t> first_bad(chunks, matrix.rows());
    pool_.For(chunks, [&](size_t chunk) {
      std::vector<float> row(matrix.cols());
      const size_t end = std::min(matrix.rows(), (chunk + 1) * kChunk);
      for (size_t r = chunk * kChunk; r < end && first_bad[chunk] == matrix.rows(); ++r) {
        matrix.ReadRow(r, row);
        if (FirstNonFinite(row) != row.size()) first_bad[chunk] = r;
      }
    });
    const size_t bad_row = *std::min_element(first_bad.begin(), first_bad.end());
    if (bad_row != matrix.rows()) {
      throw Error(origin_, ": tensor '", name, "': row ", bad_row, " holds a NaN or an infinity");
    }
  }

  const std::string& origin_;
  ThreadPool pool_;
};

// Adds up what SaveModel (model/save.cpp) writes.
class BitCounter {
 public:
  void Embedding(const std::string&, const addend::Linear& linear) { Add(linear.size(), StoredBits(linear)); }

  void Linear(const std::string&, const addend::Linear& linear, LinearKind) {
    report.linear_weights += linear.size();
    report.linear_bits += linear.Bits();
    Add(linear.size(), StoredBits(linear));
    Norm("", linear.bias, linear.bias.size());
  }

  void Norm(const std::string&, const std::vector<float>& values, size_t) {
    Add(values.size(), 32.0 * static_cast<double>(values.size()));
  }

  SizeReport report;

 private:
  // With the padding of sign rows to whole bytes.
  static double StoredBits(const addend::Linear& linear) {
    const auto* factors = std::get_if<FactoredWeight>(&linear.weight);
    return factors != nullptr
               ? 8.0 * static_cast<double>(StoredBytes(linear.outputs(), linear.inputs(), factors->rank()))
               : linear.Bits();
  }

  void Add(size_t weights, double bits) {
    report.total_weights += weights;
    report.total_bits += bits;
  }
};

}  // namespace

void CheckFinite(const Model& model) {
  FiniteChecker checker(model.metadata.origin);
  VisitTensors(model, GgufNames(), checker);
}

SizeReport CountBits(const Model& model) {
  BitCounter counter;
  VisitTensors(model, GgufNames(), counter);
  return counter.report;
}

}  // namespace addend
