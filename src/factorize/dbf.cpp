#include "factorize/admm.h"
#include "factorize/descent.h"
#include "factorize/methods.h"

namespace addend {
namespace {

struct Recipe {
  size_t admm_steps;
  AnnealSchedule anneal;  // none when it has no steps
};

// Measured in docs/factorization.md. With the covariance, flips alone do most of what annealing does, in a
// tenth of the time.
Recipe RecipeFor(Effort effort, bool metric) {
  switch (effort) {
    case Effort::kFast:
      return metric ? Recipe{20, {0}} : Recipe{20, {60}};
    case Effort::kDefault:
      return metric ? Recipe{20, {120}} : Recipe{40, {200}};
    default:
      return metric ? Recipe{40, {280}} : Recipe{60, {600}};
  }
}

}  // namespace

Factors FactorizeDbf(const Objective& objective, const FactorizeOptions& options, ThreadPool& pool) {
  constexpr size_t kFlipRounds = 6;
  Recipe recipe = RecipeFor(options.effort, !objective.input_metric.empty());
  if (options.admm_steps > 0) recipe.admm_steps = options.admm_steps;
  if (options.anneal_steps > 0) recipe.anneal.steps = options.anneal_steps;

  Rng rng(options.seed, "dbf");
  const AdmmSettings start = {recipe.admm_steps, 3, 0};
  Factors factors = Admm(objective, options.rank, start, rng, pool);
  Descent descent(objective, factors, pool);
  descent.FitScales();
  // With columns coupled on both sides annealing ends above flips; with those of B alone, well below.
  if (recipe.anneal.steps > 0) {
    Descent(WithoutOutputMetric(objective, pool), factors, pool).Anneal(recipe.anneal);
  }
  descent.FitScales();
  descent.Flip(kFlipRounds);
  return factors;
}

}  // namespace addend
