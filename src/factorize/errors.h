// How far a factored weight is from the weight, in both measures of factorize.h.
#pragma once
#include "factorize/factorize.h"

namespace addend {

struct FactorizeErrors {
  double weighted = 0;
  double output = 0;         // = weighted when the problem has no input covariance
  double output_energy = 0;  // what `output` is relative to
};

// Relative errors, 0 where the weighted matrix is zero. From the scales as they are: round them first.
FactorizeErrors MeasureErrors(const FactorizeProblem& problem, const FactoredWeight& factored,
                              ThreadPool& pool);

}  // namespace addend
