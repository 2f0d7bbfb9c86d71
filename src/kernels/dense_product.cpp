#include "kernels/dense_product.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/simd_kernels.h"

namespace addend {
namespace {

// A hand-off to another thread costs about a microsecond; this much takes ten or more from memory.
constexpr size_t kTaskBytes = size_t{1} << 18;

// Null: there are none.
const DenseKernels* KernelsFor(DType type) {
  const SimdKernels& kernels = SimdKernelsFor(CurrentTarget());
  switch (type) {
    case DType::kF32:
      return &kernels.dense_f32;
    case DType::kF16:
      return &kernels.dense_f16;
    case DType::kBF16:
      return &kernels.dense_bf16;
    case DType::kQ8_0:
      return &kernels.dense_q8_0;
    case DType::kQ5_1:
      return &kernels.dense_q5_1;
    case DType::kQ5_0:
      return &kernels.dense_q5_0;
    case DType::kQ4_1:
      return &kernels.dense_q4_1;
    case DType::kQ4_0:
      return &kernels.dense_q4_0;
    default:
      return nullptr;
  }
}

void Check(const StoredRows& w, ConstMatrixView x, ConstMatrixView y) {
  if (!HasDenseKernel(w.type)) throw Error("no kernel multiplies by ", Info(w.type).name, " weights");
  if (x.cols != w.cols || y.cols != w.rows || x.rows != y.rows) {
    throw Error("dense product of [", w.rows, ", ", w.cols, "] with x [", x.rows, ", ", x.cols, "] into y [",
                y.rows, ", ", y.cols, "]");
  }
  const size_t block = Info(w.type).block_elements;
  if (w.cols % block != 0)
    throw Error(Info(w.type).name, " rows of ", w.cols, " are not whole blocks of ", block);
  if (w.bytes.size() != BytesOf(w.type, w.rows * w.cols)) {
    throw Error("weights [", w.rows, ", ", w.cols, "] in ", Info(w.type).name, " need ",
                BytesOf(w.type, w.rows * w.cols), " bytes, found ", w.bytes.size());
  }
}

}  // namespace

bool HasDenseKernel(DType type) {
  return KernelsFor(type) != nullptr;
}

void DenseProductFew(const StoredRows& w, ConstMatrixView x, MatrixView y, ThreadPool& pool,
                     Precision precision) {
  Check(w, x, y);
  if (w.rows == 0) return;
  const size_t row_bytes = BytesOf(w.type, w.cols);
  const size_t task_rows = std::max<size_t>(1, kTaskBytes / std::max<size_t>(1, row_bytes));
  // Calls multiply(rows, y) for the rows of each task.
  const auto for_tasks = [&](const auto& multiply) {
    pool.For((w.rows + task_rows - 1) / task_rows, [&](size_t task) {
      const size_t first = task * task_rows, count = std::min(task_rows, w.rows - first);
      multiply(w.bytes.data() + first * row_bytes, y.Cols(first, count));
    });
  };
  const DenseKernels& kernels = *KernelsFor(w.type);
  if (precision == Precision::kNear && kernels.near != nullptr) {
    const ActivationDigits digits(x, kernels.centre);
    for_tasks([&](const std::byte* rows, MatrixView outputs) { kernels.near(rows, digits, outputs); });
  } else {
    for_tasks([&](const std::byte* rows, MatrixView outputs) { kernels.exact(rows, x, outputs); });
  }
}

}  // namespace addend
