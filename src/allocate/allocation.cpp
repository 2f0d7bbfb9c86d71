#include "allocate/allocation.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"

namespace addend {
namespace {

// The largest ranks within the rates bits_of(block, kind), but at least 1.
template <typename BitsOf>
Allocation AllocationWithin(const Model& model, BitsOf&& bits_of) {
  Allocation allocation;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    auto& ranks = allocation.ranks.emplace_back();
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      ranks[static_cast<size_t>(kind)] =
          std::max<size_t>(1, RankForBits(linear.outputs(), linear.inputs(), bits_of(b, kind)));
    }
  }
  return allocation;
}

double BitsOf(const Linear& linear, size_t rank) {
  return static_cast<double>(linear.size()) * BitsPerWeight(linear.outputs(), linear.inputs(), rank);
}

// What every layer keeps at an average of `bits`.
double LeastBits(double bits) {
  return std::max(kMinBits, bits / 2);
}

struct Totals {
  double bits = 0, weights = 0;
};
Totals Count(const Model& model, const Allocation& allocation) {
  Totals totals;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      totals.weights += static_cast<double>(linear.size());
      totals.bits += BitsOf(linear, allocation.Rank(b, kind));
    }
  }
  return totals;
}

void CheckRoom(const Model& model, double bits) {
  if (!(bits >= kMinBits && bits <= kMaxBits)) {
    throw Error("--bits ", bits, " is outside ", kMinBits, " to ", kMaxBits);
  }
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      if (RankForBits(linear.outputs(), linear.inputs(), bits) > 0) continue;
      throw Error(LinearName(b, kind), " [", linear.outputs(), ", ", linear.inputs(), "] is too small for ",
                  bits, " bits per weight: rank 1 with its scales takes ",
                  BitsPerWeight(linear.outputs(), linear.inputs(), 1));
    }
  }
}

}  // namespace

Allocation UniformAllocation(const Model& model, double bits) {
  CheckRoom(model, bits);
  return AllocationWithin(model, [bits](size_t, LinearKind) { return bits; });
}

Allocation MarginalAllocation(const Model& model, const ModelLoss& losses, double bits) {
  CheckRoom(model, bits);
  // Where the derivative of the loss by a bit of the file is exp(-price).
  const auto at_price = [&](double price) {
    return AllocationWithin(model, [&](size_t block, LinearKind kind) {
      const LayerLoss& measured = losses[block][static_cast<size_t>(kind)];
      const auto weights = static_cast<double>(model.blocks[block][kind].size());
      const double wanted = measured.bits + (std::log(measured.loss / weights) + price) / kLossDecay;
      return std::clamp(wanted, LeastBits(bits), kMaxBits);
    });
  };
  const double budget = bits * Count(model, at_price(0)).weights;
  // Doubles reach their last digit within 100 halvings of any range that losses have.
  double low = -700, high = 700;  // exp() of these is about the range of doubles
  for (int i = 0; i < 100; ++i) {
    const double price = (low + high) / 2;
    (Count(model, at_price(price)).bits <= budget ? low : high) = price;
  }
  return at_price(low);
}

double PredictedLoss(const Model& model, const ModelLoss& losses, const Allocation& allocation) {
  double sum = 0;
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const LayerLoss& measured = losses[b][static_cast<size_t>(kind)];
      const Linear& linear = model.blocks[b][kind];
      const double bits = BitsPerWeight(linear.outputs(), linear.inputs(), allocation.Rank(b, kind));
      sum += measured.loss * std::exp(-kLossDecay * (bits - measured.bits));
    }
  }
  return sum;
}

Allocation ChannelAllocation(const Model& model, const ChannelScores& scores, double bits) {
  CheckRoom(model, bits);
  Allocation allocation = AllocationWithin(model, [bits](size_t, LinearKind) { return LeastBits(bits); });
  struct Channel {
    double score_per_bit;
    size_t block, kind;
    double bits;
  };
  std::vector<Channel> candidates;  // beyond what each layer keeps
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      const double cost = BitsOf(linear, 1) - BitsOf(linear, 0);
      std::vector<float> sorted = scores[b][static_cast<size_t>(kind)];
      std::ranges::sort(sorted, std::greater());
      for (size_t k = allocation.Rank(b, kind); k < sorted.size(); ++k) {
        candidates.push_back({sorted[k] / cost, b, static_cast<size_t>(kind), cost});
      }
    }
  }
  std::ranges::stable_sort(candidates, std::greater(), &Channel::score_per_bit);
  const Totals start = Count(model, allocation);
  double left = bits * start.weights - start.bits;
  for (const Channel& channel : candidates) {
    if (channel.bits > left) break;
    left -= channel.bits;
    ++allocation.ranks[channel.block][channel.kind];
  }
  return allocation;
}

}  // namespace addend
