// The machine's limit for whatever reads weights from memory.
#pragma once
#include "base/threads.h"

namespace addend {

// Bytes a second that the pool's threads read together from memory that no cache holds: the best of a few
// passes over 512 MiB, which takes about a quarter of a second.
double ReadBandwidth(ThreadPool& pool);

}  // namespace addend
