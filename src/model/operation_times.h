// Where the time of inference goes.
#pragma once
#include <array>
#include <string_view>

#include "base/progress.h"

namespace addend {

enum class Operation {
  kEmbedding,
  kNorms,
  kQueriesKeysValues,  // the three projections
  kCache,              // rotating queries and keys, storing keys and values
  kAttention,
  kOutput,      // its projection
  kGateUp,      // the two projections
  kActivation,  // of the gate, and adding to the residual stream
  kDown,
  kHead,
};
inline constexpr size_t kOperations = 10;
std::string_view Name(Operation operation);  // "embedding", "norms", "q, k, v", ...

struct OperationTimes {
  std::array<double, kOperations> seconds{};  // by Operation
};

// Adds its lifetime to `times`, unless that is null.
class OperationTimer {
 public:
  OperationTimer(OperationTimes* times, Operation operation)
      : times_(times), operation_(operation), start_(times != nullptr ? WallSeconds() : 0) {}
  ~OperationTimer() {
    if (times_ != nullptr) times_->seconds[static_cast<size_t>(operation_)] += WallSeconds() - start_;
  }
  OperationTimer(const OperationTimer&) = delete;
  OperationTimer& operator=(const OperationTimer&) = delete;

 private:
  OperationTimes* times_;
  Operation operation_;
  double start_;
};

}  // namespace addend
