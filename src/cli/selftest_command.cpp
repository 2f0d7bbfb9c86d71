// `addend selftest`
#include <cstdlib>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "kernels/selftest.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

struct Arguments {
  std::optional<std::string> target;  // only this one
  bool json = false;
};

// "avx2", or "sse41 (slow: ...)".
std::string CurrentTargetText() {
  const std::string_view remark = Remark(CurrentTarget());
  return std::string(Name(CurrentTarget())) + (remark.empty() ? "" : " (" + std::string(remark) + ")");
}

struct Findings {
  std::vector<SelftestResult> kernels;
  std::string blas_problem;  // empty: none
  size_t failed = 0;         // checks
};

Findings Test(const Arguments& arguments) {
  Findings findings;
  for (const SelftestResult& result : RunSelftest()) {
    if (arguments.target && Name(result.target) != *arguments.target) continue;
    findings.failed += result.ok ? 0 : 1;
    findings.kernels.push_back(result);
  }
  findings.blas_problem = CheckBlas();
  findings.failed += findings.blas_problem.empty() ? 0 : 1;
  return findings;
}

Json ToJson(const Findings& findings) {
  Json targets = Json::array(), kernels = Json::array();
  for (const Target target : RunnableTargets()) targets.push_back(Name(target));
  for (const SelftestResult& result : findings.kernels) {
    kernels.push_back({{"kernel", result.kernel},
                       {"target", Name(result.target)},
                       {"worst_error", result.worst_error},
                       {"bound", result.bound},
                       {"ok", result.ok}});
  }
  const Json problem = findings.blas_problem.empty() ? Json() : Json(findings.blas_problem);
  return {{"targets", targets},
          {"target", Name(CurrentTarget())},
          {"kernels", kernels},
          {"openblas", {{"kernels", BlasKernels()}, {"problem", problem}}},
          {"failed", findings.failed}};
}

std::string KernelText(const Findings& findings) {
  std::string text = Format("%-28s %-8s %12s %12s\n", "kernel", "target", "worst error", "allowed");
  for (const SelftestResult& result : findings.kernels) {
    text += Format("%-28s %-8s %12.2e %12.2e  %s\n", result.kernel.c_str(),
                   std::string(Name(result.target)).c_str(), result.worst_error, result.bound,
                   result.ok ? "ok" : "WRONG");
  }
  return text;
}

std::string BlasText(const Findings& findings) {
  const std::string& problem = findings.blas_problem;
  std::string text =
      "OpenBLAS kernels: " + BlasKernels() + (problem.empty() ? ", ok\n" : ", WRONG: " + problem + "\n");
  if (const char* forced = std::getenv("OPENBLAS_CORETYPE")) {
    text +=
        Format("  chosen by OPENBLAS_CORETYPE=%s in the environment; unset it if this CPU can do better\n",
               OneLine(forced).c_str());
  }
  return text;
}

std::string ToText(const Findings& findings) {
  return "targets of this CPU, best first: " + RunnableTargetNames() + "\n" +
         "target in use: " + CurrentTargetText() + "\n\n" + KernelText(findings) + BlasText(findings);
}

void Run(const Arguments& arguments) {
  if (arguments.target) AsUsage([&] { ForceTarget(*arguments.target); });
  const Findings findings = Test(arguments);
  PrintResult(ToJson(findings), ToText(findings), arguments.json);
  if (findings.failed > 0)
    throw Error("selftest: ", findings.failed, " of the checks failed: results on this CPU may be wrong");
}

}  // namespace

CommandRun SetUpSelftest(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("General");
  OfferChoices(AddText(app, "--target", arguments->target, "only these kernels")->type_name("NAME"),
               TargetNames());
  AddJson(app, arguments->json);
  app.footer(
      "The exit code is 1 when a check fails.\n\nExamples:\n"
      "  addend selftest --target scalar");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
