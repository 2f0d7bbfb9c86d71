// Keys and values of the tokens that a sequence has so far, for every block of a model.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kernels/attention.h"
#include "model/config.h"
#include "tensor/dtype.h"

namespace addend {

// Layout: for each block and key-value head, `capacity` rows of head_dim keys, and the same of values; row p
// belongs to position p. One head's rows are contiguous, so that attention reads them as one stream.
class KvCache {
 public:
  // type: kF16 (the default: half the memory and traffic of floats), kQ8_0 (about half of that; head_dim must
  // be a multiple of 32) or kF32 (exact); other types are an Error. Memory is reserved at once and used as it
  // fills; Error when the system refuses it.
  KvCache(const ModelConfig& config, size_t capacity, DType type = DType::kF16);

  DType type() const { return type_; }
  size_t capacity() const { return capacity_; }  // in tokens
  size_t length() const { return length_; }
  size_t bytes() const;  // reserved

  // Forgets the tokens from `length` on, to go on from there; Error if there are fewer.
  void Truncate(size_t length);
  // Holds then what the first `length` tokens of `other` are. Error when that has fewer, or when they do not
  // fit, or for a cache of another model or type.
  void CopyPrefix(const KvCache& other, size_t length);

  // What a forward pass does: Error unless `count` more tokens fit; the rows of each block; then Advance.
  void CheckRoom(size_t count) const;
  void Store(size_t block, size_t position, std::span<const float> keys,
             std::span<const float> values);  // kv_size
  void Advance(size_t count);

  // Of one head, for attention. T: float for kF32, uint16_t for kF16, ggml::BlockQ8_0 for kQ8_0; positions
  // not stored yet are unspecified.
  template <typename T>
  KvHead<T> Head(size_t block, size_t kv_head) const {
    return {.keys = reinterpret_cast<const T*>(Rows(block, kv_head, Part::kKeys)),
            .values = reinterpret_cast<const T*>(Rows(block, kv_head, Part::kValues)),
            .stride = BytesOf(type_, head_dim_) / sizeof(T),
            .head_dim = head_dim_};
  }

 private:
  enum class Part { kKeys, kValues };
  std::byte* Rows(size_t block, size_t kv_head, Part part) const;
  void StorePart(size_t block, size_t position, Part part, std::span<const float> values);

  DType type_;
  size_t blocks_, kv_heads_, head_dim_, capacity_;
  size_t length_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace addend
