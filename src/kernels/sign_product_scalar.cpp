// The reference. Read this one first; the other targets must agree with it.
#include <algorithm>
#include <cstring>

#include "kernels/sign_kernels.h"

namespace addend {
namespace {

// A block is its 32 words in row order; the "table" of a block is its 64 inputs.
void PackBlock(const uint64_t words[kRowTile], uint8_t* packed) {
  std::memcpy(packed, words, kSignBlockBytes);
}

uint64_t Word(const uint8_t* block, size_t row) {
  uint64_t word;
  std::memcpy(&word, block + row * sizeof word, sizeof word);
  return word;
}

void BuildTables(const float* x, size_t blocks, uint8_t* tables) {
  for (size_t b = 0; b < blocks; ++b) {
    std::memcpy(tables + b * kTableBytes, x + b * kColumnBlock, kColumnBlock * sizeof(float));
  }
}

void Few(const uint8_t* tile, size_t blocks, const uint8_t* tables, const float* scales, float* y) {
  for (size_t r = 0; r < kRowTile; ++r) {
    float sum = 0;
    for (size_t b = 0; b < blocks; ++b) {
      float x[kColumnBlock];
      std::memcpy(x, tables + b * kTableBytes, sizeof x);
      const uint64_t word = Word(tile + b * kSignBlockBytes, r);
      for (size_t c = 0; c < kColumnBlock; ++c) sum += (word >> c) & 1 ? x[c] : -x[c];
    }
    y[r] = scales[r] * sum;
  }
}

void LoadLanes(ConstMatrixView x, const float* scales, float* lanes) {
  for (size_t c = 0; c < x.cols; ++c) {
    float* lane = lanes + c * kLanes;
    const float scale = scales != nullptr ? scales[c] : 1.0f;
    for (size_t t = 0; t < x.rows; ++t) lane[t] = x(t, c) * scale;
    std::fill(lane + x.rows, lane + kLanes, 0.0f);
  }
}

void StoreLanes(const float* lanes, MatrixView y) {
  for (size_t t = 0; t < y.rows; ++t) {
    for (size_t r = 0; r < y.cols; ++r) y(t, r) = lanes[r * kLanes + t];
  }
}

void Many(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out) {
  std::fill(out, out + tiles * kRowTile * kLanes, 0.0f);
  for (size_t i = 0; i < tiles * blocks; ++i) {
    for (size_t r = 0; r < kRowTile; ++r) {
      const uint64_t word = Word(packed + i * kSignBlockBytes, r);
      float* sums = out + (i / blocks * kRowTile + r) * kLanes;
      for (size_t c = 0; c < kColumnBlock; ++c) {
        const float* x = in + (i % blocks * kColumnBlock + c) * kLanes;
        const float sign = (word >> c) & 1 ? 1.0f : -1.0f;
        for (size_t t = 0; t < kLanes; ++t) sums[t] += sign * x[t];
      }
    }
  }
}

}  // namespace

const SignKernels kScalarSignKernels = {PackBlock, BuildTables, Few, LoadLanes, StoreLanes, Many, Many};

}  // namespace addend
