#include "kernels/target.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "base/error.h"

namespace addend {
namespace {

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool Runs(Target target) {
  switch (target) {
    case Target::kScalar:
      return true;
#if defined(__x86_64__)
    case Target::kAvx2:
      // Every CPU with AVX2 has F16C, which Clang cannot ask for.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("bmi2");
    case Target::kAvx512:
      return Runs(Target::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
#endif
    default:
      return false;
  }
}

std::vector<Target> FindRunnable() {
  std::vector<Target> targets = {Target::kAvx512, Target::kAvx2, Target::kScalar};
  std::erase_if(targets, [](Target target) { return !Runs(target); });
  return targets;
}

std::atomic<Target>& Current() {
  static std::atomic<Target> current = RunnableTargets().front();
  return current;
}

}  // namespace

std::string_view Name(Target target) {
  constexpr std::array<std::string_view, 3> kNames = {"scalar", "avx2", "avx512"};
  return kNames[static_cast<size_t>(target)];
}

std::span<const Target> RunnableTargets() {
  static const std::vector<Target> targets = FindRunnable();
  return targets;
}

Target CurrentTarget() {
  return Current().load(std::memory_order_relaxed);
}

void ForceTarget(std::string_view name) {
  std::string runnable;
  for (const Target target : RunnableTargets()) {
    if (Name(target) == name) {
      Current().store(target, std::memory_order_relaxed);
      return;
    }
    runnable += (runnable.empty() ? "" : ", ") + std::string(Name(target));
  }
  throw Error("target '", name, "' is unknown or does not run on this CPU, which runs ", runnable);
}

}  // namespace addend
