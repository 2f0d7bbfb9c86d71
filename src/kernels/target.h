// The instruction sets that kernels are written for, chosen when the program runs.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace addend {

// kScalar runs everywhere, the next three on x86-64 (worst first), kNeon on AArch64.
enum class Target { kScalar, kSse41, kAvx2, kAvx512, kNeon };
std::string_view Name(Target target);    // "scalar", "sse41", ...: what `--target` takes
std::string_view Remark(Target target);  // "" or, for people, why it is slow

std::vector<std::string> TargetNames();     // of all that this program holds, best first
std::span<const Target> RunnableTargets();  // best first; always ends with kScalar
std::string RunnableTargetNames();          // "avx2, sse41, scalar"
Target CurrentTarget();                     // the best one, or what ForceTarget said
// Before any weights are packed (packed layouts belong to a target). Throws Error for a name that is unknown
// or that this CPU cannot run, naming those that it can.
void ForceTarget(std::string_view name);

}  // namespace addend
