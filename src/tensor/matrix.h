// Dense float32 matrices, row-major: an owner and two views. Rows of a Matrix are contiguous (stride ==
// cols).
#pragma once
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <new>
#include <span>
#include <vector>

namespace addend {

// 64-byte aligned storage: a cache line, and the widest vector load.
template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* pointer, size_t) { ::operator delete(pointer, std::align_val_t(64)); }
  template <typename U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};
template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

struct ConstMatrixView {
  const float* data = nullptr;
  size_t rows = 0, cols = 0;
  size_t stride = 0;  // floats from one row to the next, >= cols

  std::span<const float> Row(size_t r) const { return {data + r * stride, cols}; }
  float operator()(size_t r, size_t c) const { return data[r * stride + c]; }
  ConstMatrixView Rows(size_t first, size_t count) const {
    return {data + first * stride, count, cols, stride};
  }
  ConstMatrixView Cols(size_t first, size_t count) const { return {data + first, rows, count, stride}; }
};

struct MatrixView {
  float* data = nullptr;
  size_t rows = 0, cols = 0;
  size_t stride = 0;

  operator ConstMatrixView() const { return {data, rows, cols, stride}; }
  std::span<float> Row(size_t r) const { return {data + r * stride, cols}; }
  float& operator()(size_t r, size_t c) const { return data[r * stride + c]; }
  MatrixView Rows(size_t first, size_t count) const { return {data + first * stride, count, cols, stride}; }
  MatrixView Cols(size_t first, size_t count) const { return {data + first, rows, count, stride}; }
};

class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t rows, size_t cols) : rows_(rows), cols_(cols), values_(rows * cols) {}  // zeros
  Matrix(size_t rows, size_t cols, std::initializer_list<float> values);  // Error unless rows * cols values

  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  float* data() { return values_.data(); }
  const float* data() const { return values_.data(); }
  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }

  std::span<float> Row(size_t r) { return {data() + r * cols_, cols_}; }
  std::span<const float> Row(size_t r) const { return {data() + r * cols_, cols_}; }
  float& operator()(size_t r, size_t c) { return values_[r * cols_ + c]; }
  float operator()(size_t r, size_t c) const { return values_[r * cols_ + c]; }

  MatrixView view() { return {data(), rows_, cols_, cols_}; }
  ConstMatrixView view() const { return {data(), rows_, cols_, cols_}; }
  operator MatrixView() { return view(); }
  operator ConstMatrixView() const { return view(); }

  // Gives the matrix a new shape; keeps the memory where it suffices. The values are unspecified afterwards.
  void Reshape(size_t rows, size_t cols) {
    rows_ = rows;
    cols_ = cols;
    values_.resize(rows * cols);
  }
  void SetZero() { std::fill(values_.begin(), values_.end(), 0.0f); }

 private:
  size_t rows_ = 0, cols_ = 0;
  AlignedVector<float> values_;
};

void CopyRows(ConstMatrixView from, MatrixView to);  // of equal shapes
Matrix Transpose(ConstMatrixView m);

// Index of the first value that is NaN or infinite, or values.size() when all are finite.
size_t FirstNonFinite(std::span<const float> values);

}  // namespace addend
