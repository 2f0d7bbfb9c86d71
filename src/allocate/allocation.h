// A bit budget -> a rank for each linear layer.
#pragma once
#include <array>
#include <vector>

#include "model/model.h"

namespace addend {

struct Allocation {
  std::vector<std::array<size_t, kLinearKinds.size()>> ranks;  // [block][kind]

  size_t Rank(size_t block, LinearKind kind) const { return ranks[block][static_cast<size_t>(kind)]; }
};

// What the scales alone leave too little room for, and beyond what factoring is worth: above about 4 bits
// plain quantisation is as good and faster.
inline constexpr double kMinBits = 0.3, kMaxBits = 4;

// The same rate for every layer: the largest rank within `bits` a weight, scales counted.
// Throws Error when bits lies outside [kMinBits, kMaxBits], or when a layer is too small for it, naming the
// layer.
Allocation UniformAllocation(const Model& model, double bits);

}  // namespace addend
