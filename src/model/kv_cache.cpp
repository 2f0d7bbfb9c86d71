#include "model/kv_cache.h"

#include <algorithm>
#include <new>

#include "base/error.h"
#include "base/progress.h"

namespace addend {
namespace {

// Beyond any model, and small enough that sizes in bytes cannot overflow.
constexpr size_t kLongestContext = size_t{1} << 28;

}  // namespace

KvCache::KvCache(const ModelConfig& config, size_t capacity, DType type)
    : type_(type),
      blocks_(config.blocks),
      kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      capacity_(capacity) {
  if (type != DType::kF16 && type != DType::kF32 && type != DType::kQ8_0) {
    throw Error("key-value cache: type ", Info(type).name, " is not supported; f16, f32 and q8_0 are");
  }
  if (head_dim_ % Info(type).block_elements != 0) {
    throw Error("key-value cache: heads of ", head_dim_, " cannot be stored as ", Info(type).name,
                ", which has blocks of ", Info(type).block_elements);
  }
  if (capacity == 0 || capacity > kLongestContext) {
    throw Error("key-value cache: a context of ", capacity, " tokens was asked for, 1 to ", kLongestContext,
                " can be had");
  }
  try {
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes());
  } catch (const std::bad_alloc&) {
    throw Error("key-value cache: no memory for a context of ", capacity, " tokens (",
                SizeText(double(bytes())), "); choose a shorter one");
  }
}

size_t KvCache::bytes() const {
  return 2 * blocks_ * kv_heads_ * capacity_ * BytesOf(type_, head_dim_);
}

void KvCache::Truncate(size_t length) {
  if (length > length_) throw Error("key-value cache: cannot cut to ", length, " tokens, it holds ", length_);
  length_ = length;
}

void KvCache::CopyPrefix(const KvCache& other, size_t length) {
  const bool same_kind = other.type_ == type_ && other.blocks_ == blocks_ && other.kv_heads_ == kv_heads_ &&
                         other.head_dim_ == head_dim_;
  if (!same_kind || length > other.length_ || length > capacity_) {
    throw Error("key-value cache: cannot copy ", length, " tokens of a cache that holds ", other.length_,
                " into one for ", capacity_, same_kind ? "" : " of another kind");
  }
  const size_t row_bytes = BytesOf(type_, head_dim_);
  for (size_t block = 0; block < blocks_; ++block) {
    for (size_t head = 0; head < kv_heads_; ++head) {
      for (const Part part : {Part::kKeys, Part::kValues}) {
        std::copy_n(other.Rows(block, head, part), length * row_bytes, Rows(block, head, part));
      }
    }
  }
  length_ = length;
}

void KvCache::CheckRoom(size_t count) const {
  if (count > capacity_ - length_) {
    throw Error("context is full: it holds ", length_, " of ", capacity_, " tokens, ", count,
                " more do not fit");
  }
}

void KvCache::Store(size_t block, size_t position, std::span<const float> keys,
                    std::span<const float> values) {
  StorePart(block, position, Part::kKeys, keys);
  StorePart(block, position, Part::kValues, values);
}

void KvCache::StorePart(size_t block, size_t position, Part part, std::span<const float> values) {
  const size_t row_bytes = BytesOf(type_, head_dim_);
  for (size_t head = 0; head < kv_heads_; ++head) {
    std::byte* const row = Rows(block, head, part) + position * row_bytes;
    Quantize(type_, values.subspan(head * head_dim_, head_dim_), {row, row_bytes});
  }
}

void KvCache::Advance(size_t count) {
  CheckRoom(count);
  length_ += count;
}

std::byte* KvCache::Rows(size_t block, size_t kv_head, Part part) const {
  const size_t index = (block * kv_heads_ + kv_head) * 2 + (part == Part::kKeys ? 0 : 1);
  return bytes_.get() + index * capacity_ * BytesOf(type_, head_dim_);
}

}  // namespace addend
