// Matrices with many more rows than columns, such as embeddings: B, mid and b have far fewer numbers than A,
// and some of the rows are enough to find them. Given these, the rows of A do not depend on each other, so
// they are solved for a few thousand at a time: time and memory stay far below those of the whole.
#pragma once
#include <functional>

#include "factorize/objective.h"

namespace addend {

// `fit` factorises the options.fitted_rows rows of the greatest importance; A and a of all rows follow.
FactoredWeight FactorizeTall(const Objective& objective, const FactorizeOptions& options,
                             const std::function<Factors(const Objective&)>& fit, ThreadPool& pool);

}  // namespace addend
