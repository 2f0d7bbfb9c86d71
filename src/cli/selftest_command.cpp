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
};

// "avx2", or "sse41 (slow: ...)".
std::string CurrentTargetText() {
  const std::string_view remark = Remark(CurrentTarget());
  return std::string(Name(CurrentTarget())) + (remark.empty() ? "" : " (" + std::string(remark) + ")");
}

// Each prints what it checked and returns how many checks failed.
size_t TestKernels(const Arguments& arguments) {
  size_t failed = 0;
  Print(Format("%-28s %-8s %12s %12s\n", "kernel", "target", "worst error", "allowed"));
  for (const SelftestResult& result : RunSelftest()) {
    if (arguments.target && Name(result.target) != *arguments.target) continue;
    Print(Format("%-28s %-8s %12.2e %12.2e  %s\n", result.kernel.c_str(),
                 std::string(Name(result.target)).c_str(), result.worst_error, result.bound,
                 result.ok ? "ok" : "WRONG"));
    failed += result.ok ? 0 : 1;
  }
  return failed;
}

size_t TestBlas() {
  const std::string problem = CheckBlas();
  Print("OpenBLAS kernels: " + BlasKernels() + (problem.empty() ? ", ok\n" : ", WRONG: " + problem + "\n"));
  if (const char* forced = std::getenv("OPENBLAS_CORETYPE")) {
    Print(Format("  chosen by OPENBLAS_CORETYPE=%s in the environment; unset it if this CPU can do better\n",
                 OneLine(forced).c_str()));
  }
  return problem.empty() ? 0 : 1;
}

void Run(const Arguments& arguments) {
  if (arguments.target) AsUsage([&] { ForceTarget(*arguments.target); });
  Print("targets of this CPU, best first: " + RunnableTargetNames() + "\n");
  Print("target in use: " + CurrentTargetText() + "\n\n");
  const size_t failed = TestKernels(arguments) + TestBlas();
  if (failed > 0)
    throw Error("selftest: ", failed, " of the checks failed: results on this CPU may be wrong");
}

}  // namespace

CommandRun SetUpSelftest(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("General");
  AddText(app, "--target", arguments->target, "only these kernels: " + RunnableTargetNames())
      ->type_name("NAME");
  app.footer(
      "The exit code is 1 when a check fails.\n\nExample:\n"
      "  addend selftest --target scalar");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
