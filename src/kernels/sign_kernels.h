// What a target provides to multiply by signs; sign_product.cpp does the rest (packing, tails, threads,
// scalings).
//
// Packed signs: [row tile of 32][column block of 64][256 bytes]. What the bytes of a block mean is the
// target's business. Rows and columns that only fill up the last tile and block are -1; their inputs are 0
// and their outputs are dropped.
//
// Few tokens (decode): every 4 columns have 16 possible sums of +-x. They are tabulated once for each token,
// and a row looks its sums up by 4 sign bits at a time (T-MAC, arXiv 2407.00088). One token at a time.
//
// Many tokens (prefill, training): the same tables, but an entry is a vector with one value for each of 32
// tokens
// ("lanes"), so that a look-up is one vector load and add. Activations are kept transposed:
// lanes[column][32].
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/target.h"
#include "tensor/matrix.h"

namespace addend {

inline constexpr size_t kRowTile = 32;
inline constexpr size_t kColumnBlock = 64;
inline constexpr size_t kSignBlockBytes = kRowTile * kColumnBlock / 8;
inline constexpr size_t kLanes = 32;
// Bytes of the tables for one column block and token; what is in them is the target's business.
inline constexpr size_t kTableBytes = 576;

struct SignKernels {
  // words[r]: the 64 signs of row r of the tile, bit c for column c.
  void (*pack_block)(const uint64_t words[kRowTile], uint8_t* packed);

  // x: blocks * kColumnBlock values. tables: blocks * kTableBytes bytes, 64-byte aligned.
  void (*build_tables)(const float* x, size_t blocks, uint8_t* tables);
  // y[r] = scales[r] * sum over c of sign(r, c) * x[c] for the 32 rows of one tile.
  void (*few)(const uint8_t* tile, size_t blocks, const uint8_t* tables, const float* scales, float* y);

  // lanes[c][t] = x(t, c) * scales[c] (null: 1) for the up to 32 tokens of x; lanes without a token are 0.
  void (*load_lanes)(ConstMatrixView x, const float* scales, float* lanes);
  // y(t, r) = lanes[r][t].
  void (*store_lanes)(const float* lanes, MatrixView y);
  // out[r][t] = sum over c of sign(r, c) * in[c][t] for the rows of `tiles` tiles.
  void (*many_near)(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out);
  void (*many_exact)(const uint8_t* packed, size_t tiles, size_t blocks, const float* in, float* out);
};

const SignKernels& SignKernelsFor(Target target);

extern const SignKernels kScalarSignKernels;
#if defined(__x86_64__)
extern const SignKernels kSse41SignKernels;
extern const SignKernels kAvx2SignKernels;
extern const SignKernels kAvx512SignKernels;
#elif defined(__aarch64__)
extern const SignKernels kNeonSignKernels;
#endif

}  // namespace addend
