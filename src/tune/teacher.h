// What the dense model says about the calibration text, computed once and kept: its final hidden states. Its
// logits follow from them by one product, so they need no room.
#pragma once
#include <cstdint>
#include <vector>

#include "base/threads.h"
#include "calibrate/sequences.h"
#include "model/model.h"
#include "train/train_head.h"

namespace addend {

class Teacher {
 public:
  // `model` and the sequences must outlive it.
  Teacher(const Model& model, SequenceSpan sequences, ThreadPool& pool);

  const TrainHead& head() const { return head_; }
  // Copies the hidden states after the final norm of sequence `index` to `out`: (length, hidden). Computes a
  // group of sequences through the dense model when this is the first one asked for, then keeps them (in
  // fp16).
  void Normed(size_t index, MatrixView out);

  // What that has cost so far.
  double seconds() const { return seconds_; }
  size_t computed() const { return computed_; }  // sequences

 private:
  void ComputeGroup(size_t group);

  const Model& model_;
  SequenceSpan sequences_;
  ThreadPool& pool_;
  TrainHead head_;
  std::vector<std::vector<uint16_t>> states_;  // fp16, one for each sequence; empty = not computed yet
  double seconds_ = 0;
  size_t computed_ = 0;
};

}  // namespace addend
