#include "formats/tensor_sequence.h"

#include "base/error.h"
#include "formats/tensor_shape.h"

namespace addend {

void TensorSequence::Add(std::string_view name, uint64_t bytes) {
  if (started()) throw Error("described after data was written");
  if (!names_.emplace(name).second) throw Error("described twice");
  entries_.push_back({std::string(name), bytes});
}

void TensorSequence::Take(uint64_t bytes) {
  if (next_ == entries_.size()) throw Error("data of more than the ", entries_.size(), " described tensors");
  const Entry& entry = entries_[next_];
  if (bytes != entry.bytes) {
    throw Error("tensor ", Quoted(entry.name), " given ", bytes, " bytes of data, its shape needs ",
                entry.bytes);
  }
  ++next_;
}

void TensorSequence::CheckComplete() const {
  if (next_ != entries_.size()) throw Error("tensor ", Quoted(entries_[next_].name), " has no data");
}

}  // namespace addend
