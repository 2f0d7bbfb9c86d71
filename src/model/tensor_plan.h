// A file's tensors before it is written: headers come first in every format, so names and shapes are needed
// before any bytes are made, and only one tensor's bytes are in memory at a time.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "model/model.h"

namespace addend {

struct PlannedTensor {
  std::string name;
  DType type;
  std::vector<uint64_t> shape;         // outermost first: a matrix is {rows, cols}
  std::function<StoredMatrix()> make;  // the bytes; the same at each call
};
using TensorPlan = std::vector<PlannedTensor>;

// What is planned is not copied: it must live until the plan is carried out.
PlannedTensor PlanVector(std::string name, const std::vector<float>& values,
                         DType type);                                         // made as one column
PlannedTensor PlanStored(std::string name, const StoredMatrix& matrix);       // as it is
PlannedTensor PlanDense(std::string name, const Linear& linear, DType type);  // multiplied out, converted
PlannedTensor PlanSigns(std::string name, const SignMatrix& signs);           // packed as in docs/format.md

// The bytes of a tensor of `file`; an Error names both.
StoredMatrix MakeTensor(const PlannedTensor& tensor, const Path& file);

// Writes a GGUF file of these tensors, atomically.
void WriteGguf(const Path& path, GgufMetadata metadata, const TensorPlan& plan);

}  // namespace addend
