#include "factorize/admm.h"
#include "factorize/descent.h"
#include "factorize/methods.h"

namespace addend {
namespace {

// Four times the steps lower the error by 1.5 %, a quarter raises it by 3.6 %.
size_t Steps(const FactorizeOptions& options, size_t published) {
  if (options.admm_steps > 0) return options.admm_steps;
  switch (options.effort) {
    case Effort::kFast:
      return published / 4;
    case Effort::kDefault:
      return published;
    default:
      return published * 4;
  }
}

Factors RunAdmm(const Objective& objective, const FactorizeOptions& options, const AdmmSettings& settings,
                ThreadPool& pool) {
  Rng rng(options.seed, "admm");
  Factors factors = Admm(objective, options.rank, settings, rng, pool);
  Descent descent(objective, factors, pool);
  descent.FitScales();
  return factors;
}

}  // namespace

Factors FactorizeDbfAdmm(const Objective& objective, const FactorizeOptions& options, ThreadPool& pool) {
  return RunAdmm(objective, options, {.steps = Steps(options, 260), .inner_steps = 3}, pool);
}

Factors FactorizeNanoQuantAdmm(const Objective& objective, const FactorizeOptions& options,
                               ThreadPool& pool) {
  return RunAdmm(objective, options, {.steps = Steps(options, 400), .inner_steps = 1}, pool);
}

}  // namespace addend
