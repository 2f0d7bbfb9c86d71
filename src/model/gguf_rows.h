// The order of the rows of q and k in GGUF files. Rope turns pairs of a head's values: Hugging Face pairs
// value i with i + head_dim / 2 ("in halves": x0 x1 .. y0 y1 ..), while GGUF's "llama" pairs neighbours
// ("interleaved": x0 y0 x1 y1 ..).
#pragma once
#include <vector>

#include "model/model.h"

namespace addend {

// The same rows, or values of a bias, in the other order. The number of rows must be a multiple of head_dim,
// which is even.
StoredMatrix InHalves(const StoredMatrix& interleaved, size_t head_dim);
std::vector<float> InHalves(const std::vector<float>& interleaved, size_t head_dim);
StoredMatrix Interleaved(const StoredMatrix& in_halves, size_t head_dim);

}  // namespace addend
