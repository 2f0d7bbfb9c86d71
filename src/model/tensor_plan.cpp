#include "model/tensor_plan.h"

#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "formats/gguf.h"
#include "model/compressed_format.h"

namespace addend {

PlannedTensor PlanVector(std::string name, const std::vector<float>& values, DType type) {
  return {std::move(name), type, {values.size()}, [&values, type] {
            return StoredMatrix::FromFloats({values.data(), values.size(), 1, 1}, type);
          }};
}

PlannedTensor PlanStored(std::string name, const StoredMatrix& matrix) {
  return {std::move(name), matrix.type(), {matrix.rows(), matrix.cols()}, [&matrix] { return matrix; }};
}

PlannedTensor PlanDense(std::string name, const Linear& linear, DType type) {
  const auto* stored = std::get_if<StoredMatrix>(&linear.weight);
  if (stored != nullptr && stored->type() == type) return PlanStored(std::move(name), *stored);
  return {std::move(name), type, {linear.outputs(), linear.inputs()}, [&linear, type] {
            return StoredMatrix::FromFloats(linear.ToDense(), type);
          }};
}

PlannedTensor PlanSigns(std::string name, const SignMatrix& signs) {
  const size_t rows = signs.rows(), row_bytes = SignMatrix::RowBytes(signs.cols());
  return {std::move(name), DType::kI8, {rows, row_bytes}, [&signs, rows, row_bytes] {
            return StoredMatrix(DType::kI8, rows, row_bytes, signs.ToBytes());
          }};
}

StoredMatrix MakeTensor(const PlannedTensor& tensor, const Path& file) {
  return WithContext(file.string() + ": tensor '" + tensor.name + "'", tensor.make);
}

void WriteGguf(const Path& path, GgufMetadata metadata, const TensorPlan& plan) {
  GgufWriter writer(path, std::move(metadata));
  for (const PlannedTensor& tensor : plan) {
    writer.Describe(tensor.name, tensor.type, {tensor.shape.rbegin(), tensor.shape.rend()});
  }
  for (const PlannedTensor& tensor : plan) {
    ThrowIfInterrupted();
    writer.Data(MakeTensor(tensor, path).bytes());
  }
  writer.Commit();
}

}  // namespace addend
