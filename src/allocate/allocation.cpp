#include "allocate/allocation.h"

#include "base/error.h"

namespace addend {

Allocation UniformAllocation(const Model& model, double bits) {
  if (!(bits >= kMinBits && bits <= kMaxBits)) {
    throw Error("--bits ", bits, " is outside ", kMinBits, " to ", kMaxBits);
  }
  Allocation allocation;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    auto& ranks = allocation.ranks.emplace_back();
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      const size_t rank = RankForBits(linear.outputs(), linear.inputs(), bits);
      if (rank == 0) {
        throw Error(LinearName(b, kind), " [", linear.outputs(), ", ", linear.inputs(), "] is too small for ",
                    bits, " bits per weight: rank 1 with its scales takes ",
                    BitsPerWeight(linear.outputs(), linear.inputs(), 1));
      }
      ranks[static_cast<size_t>(kind)] = rank;
    }
  }
  return allocation;
}

}  // namespace addend
