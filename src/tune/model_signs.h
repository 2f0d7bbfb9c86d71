// The signs of all factored linears of a model while they are trained.
#pragma once
#include <array>
#include <vector>

#include "model/model.h"
#include "train/train_model.h"
#include "tune/sign_latents.h"

namespace addend {

// Wherever signs are listed: A and B of each factored linear, in the order of the blocks and kinds.
class ModelSigns {
 public:
  // `trained` was made from `student`, and must outlive this.
  ModelSigns(TrainModel& trained, const Model& student);

  // Moves the latents of one block, and gives the new signs to `trained`.
  void Step(size_t block, const BlockGradients& gradients, float learning_rate, ThreadPool& pool);

  std::vector<SignMatrix> Signs() const;
  std::vector<SignLatents::State> States() const;
  // Also gives the signs to the trained model. Throws Error when the states are of another model.
  void Restore(const std::vector<SignLatents::State>& states);

 private:
  struct LinearSigns {
    LinearKind kind;
    SignLatents A, B;
  };

  // A result for each matrix.
  template <typename Of>
  auto List(Of&& of) const;

  TrainModel& trained_;
  std::vector<std::vector<LinearSigns>> blocks_;  // only the factored linears
};

// Puts these signs into the model's factored linears. Returns how many are others than before.
size_t ReplaceSigns(const std::vector<SignMatrix>& signs, Model& model);

}  // namespace addend
