#include "kernels/sign_product.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "kernels/sign_kernels.h"

namespace addend {
namespace {

// Up to this many tokens are multiplied one at a time: a block of lanes costs the same however few of them
// are used.
constexpr size_t kFewTokens = 16;
// Signs of a task, at least: less than a microsecond, which is what a hand-off to a waiting thread costs.
constexpr size_t kFewTaskSigns = size_t{1} << 17;
// More bring no better balance.
constexpr size_t kTasksPerThread = 4;
// 512 rows: each task builds the tables of lanes anew, which costs as much as some thirty rows.
constexpr size_t kManyTaskTiles = 16;

size_t DivideUp(size_t a, size_t b) {
  return (a + b - 1) / b;
}
size_t RowTiles(const PackedSigns& signs) {
  return DivideUp(signs.rows(), kRowTile);
}
// At least one, so that the kernels also write the zeros that are the product of a matrix without columns.
size_t Blocks(size_t cols) {
  return std::max<size_t>(1, DivideUp(cols, kColumnBlock));
}

size_t PackedBytes(const SignMatrix& signs) {
  return DivideUp(signs.rows(), kRowTile) * Blocks(signs.cols()) * kSignBlockBytes;
}

// Into PackedBytes of memory.
void Pack(const SignMatrix& signs, const SignKernels& kernels, uint8_t* packed) {
  const size_t blocks = Blocks(signs.cols());
  for (size_t first = 0; first < signs.rows(); first += kRowTile) {
    const size_t rows = std::min(kRowTile, signs.rows() - first);
    for (size_t block = 0; block < blocks; ++block, packed += kSignBlockBytes) {
      uint64_t words[kRowTile] = {};
      if (signs.cols() > 0) {
        for (size_t r = 0; r < rows; ++r) words[r] = signs.Row(first + r)[block];
      }
      kernels.pack_block(words, packed);
    }
  }
}

const uint8_t* Tile(const PackedSigns& signs, size_t tile) {
  return signs.bytes() + tile * Blocks(signs.cols()) * kSignBlockBytes;
}

// Memory that is kept from call to call; each thread has its own.
template <typename T>
T* Grow(AlignedVector<T>& scratch, size_t count) {
  if (scratch.size() < count) scratch.resize(count);
  return scratch.data();
}

struct Scratch {
  AlignedVector<float> input, middle, output;
  AlignedVector<uint8_t> tables;
};
thread_local Scratch scratch;

// scales * (signs * (input)): one of the two stages of a factored weight.
struct Stage {
  const PackedSigns& signs;
  const float* scales;  // for each row, filled up to whole tiles; null = 1
};

// ---- Few tokens ----

constexpr std::array<float, kRowTile> kOnes = [] {
  std::array<float, kRowTile> ones;
  ones.fill(1);
  return ones;
}();

// x: (tokens, blocks * 64), zero beyond signs.cols(). y: (tokens, rows).
void RunFew(const Stage& stage, ConstMatrixView x, MatrixView y, ThreadPool& pool) {
  const PackedSigns& signs = stage.signs;
  const SignKernels& kernels = signs.kernels();
  const size_t blocks = Blocks(signs.cols()), token_bytes = blocks * kTableBytes, tokens = x.rows;
  uint8_t* tables = Grow(scratch.tables, tokens * token_bytes);
  for (size_t t = 0; t < tokens; ++t) kernels.build_tables(x.Row(t).data(), blocks, tables + t * token_bytes);

  const size_t tiles = RowTiles(signs);
  const size_t task_tiles = DivideUp(kFewTaskSigns, kRowTile * blocks * kColumnBlock * tokens);
  const size_t tasks = std::min(DivideUp(tiles, task_tiles), kTasksPerThread * pool.size());
  pool.For(tasks, [&](size_t task) {
    for (size_t tile = task * tiles / tasks; tile < (task + 1) * tiles / tasks; ++tile) {
      const size_t first = tile * kRowTile, rows = std::min(kRowTile, signs.rows() - first);
      const float* scales = stage.scales != nullptr ? stage.scales + first : kOnes.data();
      for (size_t t = 0; t < tokens; ++t) {
        const auto multiply = [&](float* to) {
          kernels.few(Tile(signs, tile), blocks, tables + t * token_bytes, scales, to);
        };
        if (rows == kRowTile) {
          multiply(&y(t, first));
        } else {
          std::array<float, kRowTile> all;
          multiply(all.data());
          std::copy_n(all.begin(), rows, &y(t, first));
        }
      }
    }
  });
}

// x with each column scaled, rows filled up with zeros to whole blocks.
ConstMatrixView PadRows(ConstMatrixView x, const float* scales, AlignedVector<float>& memory) {
  const size_t width = Blocks(x.cols) * kColumnBlock;
  float* padded = Grow(memory, x.rows * width);
  for (size_t t = 0; t < x.rows; ++t) {
    const float* from = x.Row(t).data();
    float* to = padded + t * width;
    if (scales != nullptr) {
      for (size_t c = 0; c < x.cols; ++c) to[c] = from[c] * scales[c];
    } else {
      std::copy(from, from + x.cols, to);
    }
    std::fill(to + x.cols, to + width, 0.0f);
  }
  return {padded, x.rows, width, width};
}

std::shared_ptr<const float[]> PackScales(const std::vector<float>& scales, WeightMemory& memory) {
  const std::shared_ptr<uint8_t[]> bytes =
      memory.Allocate(Blocks(scales.size()) * kColumnBlock * sizeof(float));
  auto* const floats = reinterpret_cast<float*>(bytes.get());
  std::ranges::copy(scales, floats);
  return {bytes, floats};
}

// ---- Many tokens: blocks of up to 32, each with its activations in lanes ----

// in: Blocks(cols) * 64 lanes. Returns the rows' lanes, with zero lanes behind them up to whole column
// blocks, so that they can be the input of the next stage.
float* RunLanes(const Stage& stage, const float* in, AlignedVector<float>& memory, ThreadPool& pool,
                Precision precision) {
  const PackedSigns& signs = stage.signs;
  const SignKernels& kernels = signs.kernels();
  const auto multiply = precision == Precision::kNear ? kernels.many_near : kernels.many_exact;
  const size_t blocks = Blocks(signs.cols()), tiles = RowTiles(signs);
  const size_t padded_rows = Blocks(signs.rows()) * kColumnBlock;
  float* out = Grow(memory, padded_rows * kLanes);
  pool.For(DivideUp(tiles, kManyTaskTiles), [&](size_t task) {
    const size_t tile = task * kManyTaskTiles, count = std::min(kManyTaskTiles, tiles - tile);
    float* lanes = out + tile * kRowTile * kLanes;
    multiply(Tile(signs, tile), count, blocks, in, lanes);
    if (stage.scales == nullptr) return;
    const size_t rows = std::min(count * kRowTile, signs.rows() - tile * kRowTile);
    for (size_t r = 0; r < rows; ++r) {
      const float scale = stage.scales[tile * kRowTile + r];
      for (size_t t = 0; t < kLanes; ++t) lanes[r * kLanes + t] *= scale;
    }
  });
  std::fill(out + signs.rows() * kLanes, out + padded_rows * kLanes, 0.0f);
  return out;
}

float* LoadLanes(const SignKernels& kernels, ConstMatrixView x, const float* scales,
                 AlignedVector<float>& memory) {
  const size_t padded = Blocks(x.cols) * kColumnBlock;
  float* lanes = Grow(memory, padded * kLanes);
  kernels.load_lanes(x, scales, lanes);
  std::fill(lanes + x.cols * kLanes, lanes + padded * kLanes, 0.0f);
  return lanes;
}

// Calls few(first, count) for tokens that are few, and many(first, count) for blocks of up to 32.
// Many blocks are shared out to the threads; a handful are done in turn, each by all threads.
template <typename Few, typename Many>
void ForTokens(size_t tokens, Precision precision, ThreadPool& pool, const Few& few, const Many& many) {
  size_t rest = tokens % kLanes;
  if (rest > kFewTokens || precision == Precision::kExact) rest = 0;
  const size_t blocks = DivideUp(tokens - rest, kLanes);
  const auto run_block = [&](size_t block) {
    const size_t first = block * kLanes;
    many(first, std::min(kLanes, tokens - first));
  };
  if (blocks >= 2 * pool.size()) {
    pool.For(blocks, run_block);
  } else {
    for (size_t block = 0; block < blocks; ++block) run_block(block);
  }
  if (rest > 0) few(tokens - rest, rest);
}

void CheckShapes(size_t outputs, size_t inputs, ConstMatrixView x, ConstMatrixView y) {
  if (x.cols != inputs || y.cols != outputs || x.rows != y.rows) {
    throw Error("sign product of [", outputs, ", ", inputs, "] with x [", x.rows, ", ", x.cols, "] into y [",
                y.rows, ", ", y.cols, "]");
  }
}

}  // namespace

const SignKernels& SignKernelsFor(Target target) {
  switch (target) {
#if defined(__x86_64__)
    case Target::kAvx512:
      return kAvx512SignKernels;
    case Target::kAvx2:
      return kAvx2SignKernels;
    case Target::kSse41:
      return kSse41SignKernels;
#elif defined(__aarch64__)
    case Target::kNeon:
      return kNeonSignKernels;
#endif
    default:
      return kScalarSignKernels;
  }
}

PackedSigns::PackedSigns(const SignMatrix& signs, Target target)
    : rows_(signs.rows()), cols_(signs.cols()), kernels_(&SignKernelsFor(target)) {
  const auto bytes = std::make_shared<AlignedVector<uint8_t>>(PackedBytes(signs));
  Pack(signs, *kernels_, bytes->data());
  bytes_ = {bytes, bytes->data()};
}

PackedSigns::PackedSigns(const SignMatrix& signs, WeightMemory& memory, Target target)
    : rows_(signs.rows()), cols_(signs.cols()), kernels_(&SignKernelsFor(target)) {
  const std::shared_ptr<uint8_t[]> bytes = memory.Allocate(PackedBytes(signs));
  Pack(signs, *kernels_, bytes.get());
  bytes_ = bytes;
}

void SignProduct(const PackedSigns& signs, ConstMatrixView x, MatrixView y, ThreadPool& pool,
                 Precision precision) {
  CheckShapes(signs.rows(), signs.cols(), x, y);
  if (signs.rows() == 0) return;
  const Stage stage = {signs, nullptr};
  ForTokens(
      x.rows, precision, pool,
      [&](size_t first, size_t count) {
        RunFew(stage, PadRows(x.Rows(first, count), nullptr, scratch.input), y.Rows(first, count), pool);
      },
      [&](size_t first, size_t count) {
        const float* in = LoadLanes(signs.kernels(), x.Rows(first, count), nullptr, scratch.input);
        const float* out = RunLanes(stage, in, scratch.output, pool, precision);
        signs.kernels().store_lanes(out, y.Rows(first, count));
      });
}

PackedFactors::PackedFactors(const FactoredWeight& weight, WeightMemory& memory, Target target)
    : b_(PackScales(weight.b, memory)),
      B_(weight.B, memory, target),
      mid_(PackScales(weight.mid, memory)),
      A_(weight.A, memory, target),
      a_(PackScales(weight.a, memory)) {
  weight.Validate();
}

void PackedFactors::Apply(ConstMatrixView x, MatrixView y, ThreadPool& pool, Precision precision) const {
  CheckShapes(outputs(), inputs(), x, y);
  if (outputs() == 0) return;
  const Stage to_rank = {B_, mid_.get()}, to_outputs = {A_, a_.get()};
  ForTokens(
      x.rows, precision, pool,
      [&](size_t first, size_t count) {
        const ConstMatrixView in = PadRows(x.Rows(first, count), b_.get(), scratch.input);
        const size_t width = Blocks(rank()) * kColumnBlock;
        const MatrixView middle = {Grow(scratch.middle, count * width), count, width, width};
        RunFew(to_rank, in, middle, pool);
        for (size_t t = 0; t < count; ++t) std::fill(&middle(t, rank()), &middle(t, 0) + width, 0.0f);
        RunFew(to_outputs, middle, y.Rows(first, count), pool);
      },
      [&](size_t first, size_t count) {
        const float* in = LoadLanes(B_.kernels(), x.Rows(first, count), b_.get(), scratch.input);
        const float* middle = RunLanes(to_rank, in, scratch.middle, pool, precision);
        const float* out = RunLanes(to_outputs, middle, scratch.output, pool, precision);
        A_.kernels().store_lanes(out, y.Rows(first, count));
      });
}

}  // namespace addend
