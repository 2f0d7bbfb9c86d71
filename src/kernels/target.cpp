#include "kernels/target.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/error.h"
#include "base/format.h"

namespace addend {
namespace {

bool RunsAlways() {
  return true;
}

#if defined(__x86_64__)
// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool RunsSse41() {
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

// Every CPU with AVX2 has F16C, which Clang cannot ask for.
bool RunsAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

bool RunsAvx512() {
  return RunsAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}
#endif

struct Row {
  Target target;
  std::string_view name;
  bool (*runs_here)();
  std::string_view remark;
};

// What this program holds, best first.
constexpr std::array kTargets = {
#if defined(__x86_64__)
    Row{Target::kAvx512, "avx512", RunsAvx512, ""},
    Row{Target::kAvx2, "avx2", RunsAvx2, ""},
    Row{Target::kSse41, "sse41", RunsSse41, "slow: AVX2 is about twice as fast"},
#elif defined(__aarch64__)
    Row{Target::kNeon, "neon", RunsAlways, ""},
#endif
    Row{Target::kScalar, "scalar", RunsAlways, "very slow: it is what the others are compared with"},
};

const Row& RowOf(Target target) {
  return *std::find_if(kTargets.begin(), kTargets.end(),
                       [target](const Row& row) { return row.target == target; });
}

std::vector<Target> FindRunnable() {
  std::vector<Target> targets;
  for (const Row& row : kTargets) {
    if (row.runs_here()) targets.push_back(row.target);
  }
  return targets;
}

std::atomic<Target>& Current() {
  static std::atomic<Target> current = RunnableTargets().front();
  return current;
}

}  // namespace

std::string_view Name(Target target) {
  return RowOf(target).name;
}

std::string_view Remark(Target target) {
  return RowOf(target).remark;
}

std::vector<std::string> TargetNames() {
  std::vector<std::string> names;
  for (const Row& row : kTargets) names.emplace_back(row.name);
  return names;
}

std::span<const Target> RunnableTargets() {
  static const std::vector<Target> targets = FindRunnable();
  return targets;
}

std::string RunnableTargetNames() {
  return Joined(RunnableTargets(), [](Target target) { return Name(target); });
}

Target CurrentTarget() {
  return Current().load(std::memory_order_relaxed);
}

void ForceTarget(std::string_view name) {
  for (const Target target : RunnableTargets()) {
    if (Name(target) == name) return Current().store(target, std::memory_order_relaxed);
  }
  throw Error("target '", name, "' is unknown or does not run on this CPU, which runs ",
              RunnableTargetNames());
}

}  // namespace addend
