#include "model/operation_times.h"

namespace addend {

std::string_view Name(Operation operation) {
  constexpr std::array<std::string_view, kOperations> kNames = {
      "embedding", "norms",    "q, k, v",    "rope, cache", "attention",
      "output",    "gate, up", "activation", "down",        "head"};
  return kNames[static_cast<size_t>(operation)];
}

}  // namespace addend
