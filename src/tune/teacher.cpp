#include "tune/teacher.h"

#include <algorithm>

#include "base/progress.h"
#include "calibrate/covariance.h"
#include "tensor/half.h"

namespace addend {
namespace {

constexpr size_t kGroup = 16;  // sequences: decoding the dense weights is then a small part of the work

}  // namespace

Teacher::Teacher(const Model& model, SequenceSpan sequences, ThreadPool& pool)
    : model_(model),
      sequences_(sequences),
      pool_(pool),
      head_(model, Precision::kNear),
      states_(sequences.size()) {}

void Teacher::Normed(size_t index, MatrixView out) {
  if (states_.at(index).empty()) ComputeGroup(index / kGroup);
  const uint16_t* state = states_[index].data();
  for (size_t r = 0; r < out.rows; ++r) {
    for (float& value : out.Row(r)) value = HalfToFloat(*state++);
  }
}

void Teacher::ComputeGroup(size_t group) {
  const double begin = WallSeconds();
  const size_t first = group * kGroup, count = std::min(kGroup, sequences_.size() - first);
  const size_t length = sequences_[first].size();
  DenseStream stream(model_, sequences_.subspan(first, count), pool_, Precision::kNear);
  for (size_t b = 0; b < model_.blocks.size(); ++b) stream.Skip();
  Workspace workspace(pool_);
  for (size_t i = 0; i < count; ++i) {
    const Matrix normed = head_.Normed(stream.Hidden().view().Rows(i * length, length), workspace);
    std::vector<uint16_t>& state = states_[first + i];
    state.resize(normed.size());
    std::transform(normed.values().begin(), normed.values().end(), state.begin(), FloatToHalf);
  }
  seconds_ += WallSeconds() - begin;
  computed_ += count;
}

}  // namespace addend
