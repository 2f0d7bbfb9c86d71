// How near to exact the products of activations with weights are.
#pragma once

namespace addend {

enum class Precision {
  // Activations at about 14 bits: the relative error of a product is 0.003 to 0.03 %, also with outliers
  // (docs/kernels.md).
  kNear,
  // float32 sums. Always works on blocks of 32 tokens: dear for few.
  kExact,
};

}  // namespace addend
