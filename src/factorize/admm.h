// Two binary factors by alternating ADMM: DBF (arXiv 2505.11076), and with other settings NanoQuant's
// variant. What it does, in effect, is to anneal: its penalty `rho` ramps from 0 to 1, and the factors harden
// with it.
#pragma once
#include "base/random.h"
#include "factorize/objective.h"

namespace addend {

struct AdmmSettings {
  size_t steps = 260;      // each updates one factor, then the other
  size_t inner_steps = 3;  // ADMM steps for one factor in a row; the first of them with the ramped rho, the
                           // others with rho = 1
  size_t power_iterations =
      5;  // for the rank-1 envelope of a factor; 0: its row means times its column means, which is as good
};

// Ignores the objective's metric. The factors' entries are signs; their scales are those of the envelopes:
// fit them afterwards.
Factors Admm(const Objective& objective, size_t rank, const AdmmSettings& settings, Rng& rng,
             ThreadPool& pool);

}  // namespace addend
