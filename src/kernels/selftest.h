// Checks every kernel on every target that this CPU runs against double precision: `addend selftest`, and the
// tests.
#pragma once
#include <string>
#include <vector>

#include "kernels/target.h"

namespace addend {

struct SelftestResult {
  std::string kernel;
  Target target = Target::kScalar;
  double worst_error =
      0;  // the largest over sizes from 1 to a few hundred, relative; what to is said beside the bounds
  double bound = 0;
  bool ok = false;  // worst_error <= bound; false for NaN
};

// Takes a few seconds. Changes the current target while it runs, so nothing else may use the kernels
// meanwhile.
std::vector<SelftestResult> RunSelftest();

}  // namespace addend
