// The methods that Factorize() offers. A new one is a new file with a function like these, and a row in
// factorize.cpp.
#pragma once
#include "factorize/objective.h"

namespace addend {

// Short ADMM, then annealing and flips on the whole objective. Sources: admm.h, descent.h.
Factors FactorizeDbf(const Objective& objective, const FactorizeOptions& options, ThreadPool& pool);

// The published ADMM of DBF (arXiv 2505.11076): 260 steps, three inner steps for each factor.
Factors FactorizeDbfAdmm(const Objective& objective, const FactorizeOptions& options, ThreadPool& pool);

// NanoQuant's ADMM: 400 steps, one inner step for each factor.
Factors FactorizeNanoQuantAdmm(const Objective& objective, const FactorizeOptions& options, ThreadPool& pool);

}  // namespace addend
