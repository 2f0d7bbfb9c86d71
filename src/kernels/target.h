// The instruction sets that kernels are written for, chosen when the program runs.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace addend {

enum class Target { kScalar, kAvx2, kAvx512 };  // worst first
std::string_view Name(Target target);           // "scalar", "avx2", "avx512": what `--target` takes

std::span<const Target> RunnableTargets();  // best first; always ends with kScalar
Target CurrentTarget();                     // the best one, or what ForceTarget said
// Before any weights are packed (packed layouts belong to a target). Throws Error for a name that is unknown
// or that this CPU cannot run, naming those that it can.
void ForceTarget(std::string_view name);

}  // namespace addend
