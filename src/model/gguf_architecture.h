// What llama.cpp knows about an architecture without being told by a GGUF file: shared by the loader, which
// fills it in, and the exporter, which writes keys only where a model differs.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace addend::gguf_architecture {

inline constexpr std::string_view kRopeFactors =
    "rope_freqs.weight";  // head_dim / 2 divisors of the frequencies

// Its general.architecture. Mistral is "llama" there.
std::string_view GgufName(Architecture architecture);

// What rope divides its head_dim / 2 frequencies by, of blocks that do not slide: 1 where it is not scaled.
std::vector<float> RopeFactors(const ModelConfig& config);

// Does it keep the rows of q and k interleaved (model/gguf_rows.h)?
bool HasInterleavedHeads(Architecture architecture);

// The factor of q . k of a model of these sizes. There is a key for it that llama.cpp reads for other
// architectures only.
float AttentionScale(const ModelConfig& config);

// Every period-th block is not limited to the window; 0 = all are.
size_t SlidingPeriod(Architecture architecture);
std::vector<bool> SlidingBlocks(size_t blocks, size_t period);

}  // namespace addend::gguf_architecture
