// Speed of the kernels, one thread: sign products on every target beside single-precision gemm, stored dense
// weights beside the machine's read bandwidth, attention beside its multiply-adds.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_kernels [--rounds N] [sign] [memory] [dense]
//   [attention]
// Times are the least thread CPU time of N rounds (default 7), the variants of a shape taken in turn within a
// round, so that a busy machine disturbs all of them alike. GF/s counts 2 * rows * cols * tokens for signs as
// for floats. The scalar reference takes part where a call is short.
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/attention.h"
#include "kernels/dense_product.h"
#include "kernels/read_bandwidth.h"
#include "kernels/sign_product.h"
#include "linalg/gemm.h"
#include "tensor/half.h"

namespace addend {
namespace {

constexpr uint64_t kSeed = 20240611;
int rounds = 7;

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Those that are worth measuring with so many multiply-adds in a call: the reference does about one in a
// nanosecond.
std::vector<Target> TargetsFor(size_t multiply_adds) {
  constexpr size_t kMostForScalar = size_t{1} << 26;
  std::vector<Target> targets(RunnableTargets().begin(), RunnableTargets().end());
  if (multiply_adds > kMostForScalar) std::erase(targets, Target::kScalar);
  return targets;
}

// One row of a table, in the making.
struct Variant {
  std::string name;
  std::function<void()> run;
  double seconds = 1e30;
};

// Fills in the least seconds of one call of each variant.
void Measure(std::vector<Variant>& variants) {
  for (int round = 0; round < rounds; ++round) {
    for (Variant& variant : variants) {
      variant.run();  // warms the caches
      size_t calls = 0;
      const double start = CpuSeconds();
      double elapsed = 0;
      do {
        variant.run();
        ++calls;
        elapsed = CpuSeconds() - start;
      } while (elapsed < 2e-3);
      variant.seconds = std::min(variant.seconds, elapsed / static_cast<double>(calls));
    }
  }
}

Matrix NormalMatrix(size_t rows, size_t cols, Rng& rng) {
  Matrix m(rows, cols);
  for (float& v : m.values()) v = rng.Normal();
  return m;
}

struct Shape {
  size_t rows, cols;
};

void BenchSigns() {
  std::printf("\nSign products, weights in cache where they fit\n%-12s %6s %-14s %10s %10s %9s %8s\n",
              "shape", "tokens", "kernel", "us", "weights/ns", "GF/s", "x sgemm");
  Rng rng(kSeed);
  ThreadPool pool(1);
  for (const Shape shape :
       {Shape{576, 576}, Shape{1536, 576}, Shape{268, 576}, Shape{4096, 4096}, Shape{11008, 4096}}) {
    const SignMatrix signs = SignMatrix::Random(shape.rows, shape.cols, rng);
    const Matrix dense = signs.ToDense();
    std::vector<std::unique_ptr<PackedSigns>> packed;
    for (const size_t tokens : {1, 8, 32, 128, 512}) {
      const Matrix x = NormalMatrix(tokens, shape.cols, rng);
      Matrix y(tokens, shape.rows);
      std::vector<Variant> variants = {
          {"sgemm", [&] { Gemm(Op::kNone, x, Op::kTranspose, dense, y, pool); }}};
      for (const Target target : TargetsFor(shape.rows * shape.cols * tokens)) {
        packed.push_back(std::make_unique<PackedSigns>(signs, target));
        const PackedSigns* p = packed.back().get();
        variants.push_back({std::string(Name(target)) + " near", [&, p] { SignProduct(*p, x, y, pool); }});
        if (tokens >= 32) {
          variants.push_back({std::string(Name(target)) + " exact",
                              [&, p] { SignProduct(*p, x, y, pool, Precision::kExact); }});
        }
      }
      Measure(variants);
      for (const Variant& v : variants) {
        const double weights = static_cast<double>(shape.rows * shape.cols);
        std::printf("%5zux%-6zu %6zu %-14s %10.2f %10.1f %9.0f %8.2f\n", shape.rows, shape.cols, tokens,
                    v.name.c_str(), v.seconds * 1e6, weights / v.seconds * 1e-9,
                    2e-9 * weights * static_cast<double>(tokens) / v.seconds,
                    variants[0].seconds / v.seconds);
      }
      std::fflush(stdout);
    }
  }
}

// One token through many matrices in turn, more than the caches hold: what decoding a large model meets.
void BenchSignsFromMemory() {
  constexpr size_t kBytes = size_t{1} << 28;
  ThreadPool pool(1);
  const double bandwidth = ReadBandwidth(pool);
  std::printf(
      "\nSign products of one token, weights from memory, which is read at %.1f GB/s\n%-12s %-8s %10s %10s "
      "%8s %8s\n",
      bandwidth * 1e-9, "shape", "target", "us", "weights/ns", "GB/s", "of read");
  Rng rng(kSeed);
  for (const Shape shape : {Shape{576, 576}, Shape{1536, 576}, Shape{4096, 4096}, Shape{11008, 4096}}) {
    const SignMatrix signs = SignMatrix::Random(shape.rows, shape.cols, rng);
    const Matrix x = NormalMatrix(1, shape.cols, rng);
    Matrix y(1, shape.rows);
    const size_t count = 8 * kBytes / (shape.rows * shape.cols);
    WeightMemory memory;
    std::vector<std::vector<PackedSigns>> packed;
    std::vector<Variant> variants;
    for (const Target target : RunnableTargets()) {
      if (target == Target::kScalar) continue;
      auto& matrices = packed.emplace_back();
      for (size_t i = 0; i < count; ++i) matrices.emplace_back(signs, memory, target);
    }
    for (const auto& matrices : packed) {
      variants.push_back({std::string(Name(RunnableTargets()[variants.size()])), [&] {
                            for (const PackedSigns& matrix : matrices) SignProduct(matrix, x, y, pool);
                          }});
    }
    Measure(variants);
    for (const Variant& v : variants) {
      const double each = v.seconds / static_cast<double>(count);
      const double weights = static_cast<double>(shape.rows * shape.cols);
      std::printf("%5zux%-6zu %-8s %10.2f %10.1f %8.1f %7.0f%%\n", shape.rows, shape.cols, v.name.c_str(),
                  each * 1e6, weights / each * 1e-9, weights / 8e9 / each,
                  100 * weights / 8 / each / bandwidth);
    }
    std::fflush(stdout);
  }
}

void BenchDense() {
  ThreadPool pool(1);
  const double bandwidth = ReadBandwidth(pool);
  std::printf(
      "\nStored dense weights, 49152 x 576 (a language model's head); memory is read at %.1f GB/s\n%-8s %6s "
      "%-8s %10s %8s %8s\n",
      bandwidth * 1e-9, "type", "tokens", "target", "us", "GB/s", "of read");
  Rng rng(kSeed);
  constexpr size_t kRows = 49152, kCols = 576;
  const Matrix w = NormalMatrix(kRows, kCols, rng);
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_1, DType::kQ5_0,
                           DType::kQ4_1, DType::kQ4_0}) {
    std::vector<std::byte> bytes(BytesOf(type, w.size()));
    Quantize(type, w.values(), bytes);
    for (const size_t tokens : {1, 4, 8}) {
      const Matrix x = NormalMatrix(tokens, kCols, rng);
      Matrix y(tokens, kRows);
      std::vector<Variant> variants;
      for (const Target target : TargetsFor(kRows * kCols * tokens)) {
        variants.push_back({std::string(Name(target)), [&, target] {
                              ForceTarget(Name(target));
                              DenseProductFew({type, kRows, kCols, bytes}, x, y, pool);
                            }});
      }
      Measure(variants);
      for (const Variant& v : variants) {
        const double speed = static_cast<double>(bytes.size()) / v.seconds;
        std::printf("%-8s %6zu %-8s %10.1f %8.1f %7.0f%%\n", std::string(Info(type).name).c_str(), tokens,
                    v.name.c_str(), v.seconds * 1e6, speed * 1e-9, 100 * speed / bandwidth);
      }
      std::fflush(stdout);
    }
  }
}

void BenchAttention() {
  std::printf(
      "\nAttention of one key-value head of 64 with 3 query heads, f16 cache\n%-8s %8s %-8s %10s %8s\n",
      "tokens", "behind", "target", "us", "GF/s");
  Rng rng(kSeed);
  constexpr size_t kDim = 64, kHeads = 3;
  struct Case {
    size_t tokens, behind;
  };
  for (const Case c : {Case{1, 255}, Case{1, 2047}, Case{512, 0}, Case{2048, 0}}) {
    const size_t positions = c.tokens + c.behind;
    std::vector<uint16_t> keys(positions * kDim), values(positions * kDim);
    for (uint16_t& k : keys) k = FloatToHalf(rng.Normal());
    for (uint16_t& v : values) v = FloatToHalf(rng.Normal());
    const Matrix queries = NormalMatrix(c.tokens, kHeads * kDim, rng);
    Matrix out(c.tokens, kHeads * kDim);
    std::vector<Variant> variants;
    for (const Target target : TargetsFor(2 * c.tokens * positions * kHeads * kDim)) {
      variants.push_back({std::string(Name(target)), [&, target] {
                            ForceTarget(Name(target));
                            Attention(KvHead<uint16_t>{keys.data(), values.data(), kDim, kDim}, queries,
                                      c.behind, {0.125f}, out);
                          }});
    }
    Measure(variants);
    const double seen = static_cast<double>(c.tokens) *
                        (static_cast<double>(c.behind) + (static_cast<double>(c.tokens) + 1) / 2);
    for (const Variant& v : variants) {
      std::printf("%-8zu %8zu %-8s %10.1f %8.1f\n", c.tokens, c.behind, v.name.c_str(), v.seconds * 1e6,
                  4e-9 * seen * kDim * kHeads / v.seconds);
    }
    std::fflush(stdout);
  }
}

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      addend::rounds = std::max(1, std::atoi(argv[++i]));
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  const auto want = [&](const char* name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  std::printf("bench_kernels --rounds %d, seed %llu\n%s, %zu CPUs, targets %s, OpenBLAS kernels %s\n",
              addend::rounds, static_cast<unsigned long long>(addend::kSeed), addend::CpuName().c_str(),
              addend::AvailableCpus(), addend::RunnableTargetNames().c_str(), addend::BlasKernels().c_str());
  if (want("sign")) addend::BenchSigns();
  if (want("memory")) addend::BenchSignsFromMemory();
  if (want("dense")) addend::BenchDense();
  if (want("attention")) addend::BenchAttention();
}
