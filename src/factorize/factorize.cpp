#include "factorize/factorize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/progress.h"
#include "factorize/errors.h"
#include "factorize/methods.h"
#include "factorize/tall.h"

namespace addend {
namespace {

struct Method {
  MethodInfo info;
  bool uses_covariances;
  Factors (*run)(const Objective&, const FactorizeOptions&, ThreadPool&);
};

constexpr std::array<Method, 3> kMethods = {{
    {{"dbf", "short ADMM, then annealing and flips against the whole input covariance",
      "docs/factorization.md"},
     true,
     FactorizeDbf},
    {{"dbf-admm", "the published ADMM of Double Binary Factorization", "arXiv:2505.11076"},
     false,
     FactorizeDbfAdmm},
    {{"nanoquant-admm", "NanoQuant's variant of that ADMM: one inner step", "NanoQuant"},
     false,
     FactorizeNanoQuantAdmm},
}};

const Method& FindMethod(std::string_view name) {
  for (const Method& method : kMethods) {
    if (method.info.name == name) return method;
  }
  throw Error("factorize: unknown method '", name,
              "'; there are: ", Joined(kMethods, [](const Method& method) { return method.info.name; }));
}

void CheckImportance(std::span<const float> importance, size_t needed, const char* name) {
  if (importance.empty()) return;
  if (importance.size() != needed)
    throw Error("factorize: ", importance.size(), " values of ", name, ", ", needed, " needed");
  for (size_t i = 0; i < needed; ++i) {
    if (!std::isfinite(importance[i]) || importance[i] < 0) {
      throw Error("factorize: ", name, "[", i, "] is ", importance[i], ", finite and not negative is needed");
    }
  }
}

void CheckFinite(ConstMatrixView m, const char* name) {
  for (size_t r = 0; r < m.rows; ++r) {
    const size_t bad = FirstNonFinite(m.Row(r));
    if (bad < m.cols)
      throw Error("factorize: ", name, "[", r, ", ", bad, "] is ", m(r, bad), ", finite is needed");
  }
}

void CheckSquare(ConstMatrixView m, size_t size, const char* name) {
  if (m.rows != size || m.cols != size) {
    throw Error("factorize: the ", name, " is [", m.rows, ", ", m.cols, "], [", size, ", ", size, "] needed");
  }
  CheckFinite(m, name);
}

void Check(const FactorizeProblem& problem, const FactorizeOptions& options) {
  const ConstMatrixView w = problem.weight, h = problem.input_covariance;
  if (w.rows == 0 || w.cols == 0) throw Error("factorize: the weight is empty: [", w.rows, ", ", w.cols, "]");
  if (options.rank == 0) throw Error("factorize: rank 0; at least 1 is needed");
  if (!(options.covariance_damping >= 0))
    throw Error("factorize: covariance damping ", options.covariance_damping, " is negative");
  CheckFinite(w, "weight");
  CheckImportance(problem.output_importance, w.rows, "output importance");
  CheckImportance(problem.input_importance, w.cols, "input importance");
  const ConstMatrixView c = problem.output_correlation;
  if (c.rows > 0) CheckSquare(c, w.rows, "output correlation");
  if (h.data == nullptr) return;
  CheckSquare(h, w.cols, "input covariance");
  for (size_t j = 0; j < h.rows; ++j) {
    if (h(j, j) < 0)
      throw Error("factorize: input covariance[", j, ", ", j, "] is ", h(j, j), ", not negative is needed");
  }
}

bool IsZero(ConstMatrixView m) {
  for (size_t r = 0; r < m.rows; ++r) {
    for (const float value : m.Row(r)) {
      if (value != 0) return false;
    }
  }
  return true;
}

// All scales 0.
FactoredWeight ZeroWeight(size_t outputs, size_t inputs, size_t rank) {
  FactoredWeight weight;
  weight.A = SignMatrix(outputs, rank);
  weight.B = SignMatrix(rank, inputs);
  weight.a.resize(outputs);
  weight.mid.resize(rank);
  weight.b.resize(inputs);
  return weight;
}

}  // namespace

FactorizeResult Factorize(const FactorizeProblem& problem, const FactorizeOptions& options,
                          ThreadPool& pool) {
  const double start = WallSeconds();
  const Method& method = FindMethod(options.method);
  Check(problem, options);
  FactorizeResult result;
  if (IsZero(problem.weight)) {
    result.weight = ZeroWeight(problem.weight.rows, problem.weight.cols, options.rank);
  } else {
    const Objective objective =
        MakeObjective(problem, method.uses_covariances, options.covariance_damping, pool);
    const auto fit = [&](const Objective& part) { return method.run(part, options, pool); };
    const bool tall = options.fitted_rows > 0 && options.fitted_rows < problem.weight.rows;
    result.weight =
        tall ? FactorizeTall(objective, options, fit, pool) : ToFactoredWeight(fit(objective), objective);
    result.weight.Validate();
    const FactorizeErrors errors = MeasureErrors(problem, result.weight, pool);
    result.weighted_error = errors.weighted;
    result.output_error = errors.output;
    result.output_energy = errors.output_energy;
  }
  result.seconds = WallSeconds() - start;
  return result;
}

std::span<const MethodInfo> FactorizeMethods() {
  static const std::array<MethodInfo, kMethods.size()> infos = [] {
    std::array<MethodInfo, kMethods.size()> all;
    for (size_t i = 0; i < kMethods.size(); ++i) all[i] = kMethods[i].info;
    return all;
  }();
  return infos;
}

}  // namespace addend
