// A bit budget -> a rank for each linear layer.
#pragma once
#include <array>
#include <vector>

#include "calibrate/channel_scores.h"
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

// What factoring one layer costs the model, as one factorization at one rate measured it.
struct LayerLoss {
  double bits = 0;  // a weight
  double loss = 0;  // of its outputs, weighted by what they do to the model's loss: comparable between layers
};
using BlockLoss = std::array<LayerLoss, kLinearKinds.size()>;  // by LinearKind
using ModelLoss = std::vector<BlockLoss>;

// Equal marginal loss for each further bit: the least sum of losses within `bits` a weight over all layers
// together, where a layer's loss falls by exp(-kLossDecay) with each bit a weight. Each layer gets at least
// half of `bits`, since the curve was measured near `bits` alone, and at most kMaxBits.
// Throws Error where UniformAllocation does.
Allocation MarginalAllocation(const Model& model, const ModelLoss& losses, double bits);

// The sum of the layers' losses at these ranks, on the same curves.
double PredictedLoss(const Model& model, const ModelLoss& losses, const Allocation& allocation);

// The ranks that are left when the channels with the least score for each bit that they cost are taken from
// all layers of a factored model together, until it fits into `bits` a weight. Each layer keeps at least half
// of `bits`. Throws Error where UniformAllocation does.
Allocation ChannelAllocation(const Model& model, const ChannelScores& scores, double bits);

// Measured on SmolLM2 between 1 and 2 bits: 0.96 to 1.09 as the mean of each kind of layer
// (docs/results.md). The rate-distortion bound has 2 ln 2 = 1.39.
inline constexpr double kLossDecay = 1.0;

}  // namespace addend
