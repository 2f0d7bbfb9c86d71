#include "train/workspace.h"

namespace addend {

Borrowed::~Borrowed() {
  if (workspace_ != nullptr) workspace_->Return(std::move(memory_));
}

Borrowed Workspace::Borrow(size_t rows, size_t cols) {
  const size_t size = rows * cols;
  AlignedVector<float> memory;
  {
    std::lock_guard lock(mutex_);
    const auto smallest = free_.lower_bound(size);
    if (smallest != free_.end()) {
      memory = std::move(smallest->second);
      free_.erase(smallest);
    }
  }
  if (memory.size() < size) memory.resize(size);
  const MatrixView view{memory.data(), rows, cols, cols};
  return Borrowed(this, std::move(memory), view);
}

void Workspace::Return(AlignedVector<float> memory) {
  std::lock_guard lock(mutex_);
  const size_t size = memory.size();
  free_.emplace(size, std::move(memory));
}

}  // namespace addend
