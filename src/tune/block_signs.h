// The signs of all factored linears of some blocks while they are trained.
#pragma once
#include <span>
#include <vector>

#include "model/model.h"
#include "train/train_block.h"
#include "tune/sign_latents.h"

namespace addend {

// Wherever signs are listed: A and B of each factored linear, in the order of the blocks and kinds.
class BlockSigns {
 public:
  // `trained` was made from `blocks`, and must outlive this.
  BlockSigns(std::span<TrainBlock> trained, std::span<const Block> blocks);

  // Moves the latents of one block, and gives the new signs to the trained block.
  void Step(size_t block, const BlockGradients& gradients, float learning_rate, ThreadPool& pool);

  std::vector<SignMatrix> Signs() const;
  std::vector<SignLatents::State> States() const;
  // Also gives the signs to the trained blocks. Throws Error when the states are of others.
  void Restore(const std::vector<SignLatents::State>& states);

 private:
  struct LinearSigns {
    LinearKind kind;
    SignLatents A, B;
  };

  // A result for each matrix.
  template <typename Of>
  auto List(Of&& of) const;

  std::span<TrainBlock> trained_;
  std::vector<std::vector<LinearSigns>> blocks_;  // only the factored linears
};

// Puts these signs into the factored linears. Returns how many are others than before.
size_t ReplaceSigns(const std::vector<SignMatrix>& signs, std::span<Block> blocks);

}  // namespace addend
