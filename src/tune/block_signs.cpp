#include "tune/block_signs.h"

#include <bit>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace addend {
namespace {

size_t CountDifferent(const SignMatrix& a, const SignMatrix& b) {
  size_t count = 0;
  for (size_t r = 0; r < a.rows(); ++r) {
    for (size_t w = 0; w < a.words_per_row(); ++w) {
      count += static_cast<size_t>(std::popcount(a.Row(r)[w] ^ b.Row(r)[w]));
    }
  }
  return count;
}

}  // namespace

BlockSigns::BlockSigns(std::span<TrainBlock> trained, std::span<const Block> blocks) : trained_(trained) {
  for (const Block& block : blocks) {
    std::vector<LinearSigns>& linears = blocks_.emplace_back();
    for (const LinearKind kind : kLinearKinds) {
      const auto* factors = std::get_if<FactoredWeight>(&block[kind].weight);
      if (factors != nullptr) linears.push_back({kind, SignLatents(factors->A), SignLatents(factors->B)});
    }
  }
}

void BlockSigns::Step(size_t block, const BlockGradients& gradients, float learning_rate, ThreadPool& pool) {
  std::vector<LinearSigns>& linears = blocks_[block];
  pool.For(linears.size(), [&](size_t i) {
    LinearSigns& linear = linears[i];
    const LinearGradient& gradient = gradients[linear.kind];
    const size_t changed =
        linear.A.Step(gradient.A, learning_rate) + linear.B.Step(gradient.B, learning_rate);
    if (changed > 0) trained_[block].linear(linear.kind).SetSigns(linear.A.signs(), linear.B.signs());
  });
}

template <typename Of>
auto BlockSigns::List(Of&& of) const {
  std::vector<std::decay_t<decltype(of(std::declval<const SignLatents&>()))>> all;
  for (const auto& linears : blocks_) {
    for (const LinearSigns& linear : linears) {
      all.push_back(of(linear.A));
      all.push_back(of(linear.B));
    }
  }
  return all;
}

std::vector<SignMatrix> BlockSigns::Signs() const {
  return List([](const SignLatents& latents) -> const SignMatrix& { return latents.signs(); });
}

std::vector<SignLatents::State> BlockSigns::States() const {
  return List([](const SignLatents& latents) -> const SignLatents::State& { return latents.state(); });
}

void BlockSigns::Restore(const std::vector<SignLatents::State>& states) {
  size_t next = 0;
  const auto take = [&](SignLatents& latents) {
    if (next == states.size()) throw Error("tuning: the saved state has latents of ", next, " matrices only");
    latents = SignLatents(states[next++], latents.signs().rows(), latents.signs().cols());
  };
  for (size_t b = 0; b < blocks_.size(); ++b) {
    for (LinearSigns& linear : blocks_[b]) {
      take(linear.A);
      take(linear.B);
      trained_[b].linear(linear.kind).SetSigns(linear.A.signs(), linear.B.signs());
    }
  }
}

size_t ReplaceSigns(const std::vector<SignMatrix>& signs, std::span<Block> blocks) {
  size_t next = 0, changed = 0;
  const auto replace = [&](SignMatrix& old) {
    changed += CountDifferent(old, signs.at(next));
    old = signs[next++];
  };
  for (Block& block : blocks) {
    for (Linear& linear : block.linears) {
      auto* factors = std::get_if<FactoredWeight>(&linear.weight);
      if (factors == nullptr) continue;
      replace(factors->A);
      replace(factors->B);
    }
  }
  return changed;
}

}  // namespace addend
