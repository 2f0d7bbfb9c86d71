#include "kernels/selftest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <span>

#include "kernels/attention.h"
#include "kernels/dense_product.h"
#include "kernels/reference.h"
#include "kernels/sign_product.h"
#include "kernels/test_inputs.h"
#include "kernels/vector_ops.h"
#include "tensor/half.h"

namespace addend {
namespace {

using reference::DoubleMatrix;
using reference::Doubles;

constexpr double kFloatRounding = 0x1p-24;

// ---- Errors ----

// The larger of two errors, where NaN is the largest of all.
double Worse(double a, double b) {
  return a >= b ? a : b;
}

double Norm(std::span<const float> values) {
  double squares = 0;
  for (const double v : values) squares += v * v;
  return std::sqrt(squares);
}

double SumOfMagnitudes(std::span<const float> values) {
  double sum = 0;
  for (const double v : values) sum += std::abs(v);
  return sum;
}

// Root mean square of y - exact, relative to that of a product of x with random signs, |x|.
double RelativeRms(ConstMatrixView y, const DoubleMatrix& exact, const std::vector<double>& norms) {
  double errors = 0, norm_squares = 0;
  for (size_t t = 0; t < y.rows; ++t) {
    for (size_t r = 0; r < y.cols; ++r) {
      errors += (y(t, r) - exact(t, r)) * (y(t, r) - exact(t, r));
      norm_squares += norms[t] * norms[t];
    }
  }
  return std::sqrt(errors / norm_squares);
}

// The largest |y - exact| / (1 + |exact|).
double LargestError(std::span<const float> y, std::span<const double> exact) {
  double worst = 0;
  for (size_t i = 0; i < y.size(); ++i)
    worst = Worse(std::abs(y[i] - exact[i]) / (1 + std::abs(exact[i])), worst);
  return worst;
}

// ---- Checks: each gives the worst error of one kernel on one target ----

struct SignCase {
  size_t rows, cols, tokens;
};
// Around one tile, one block, one block of scales and a tail; few tokens, many, and both in one call.
constexpr std::array kSignCases = {SignCase{1, 1, 8},     SignCase{7, 65, 8},    SignCase{33, 399, 3},
                                   SignCase{576, 268, 1}, SignCase{64, 1000, 2}, SignCase{1, 7, 33},
                                   SignCase{31, 64, 40},  SignCase{65, 63, 32},  SignCase{100, 257, 20},
                                   SignCase{32, 576, 64}};

// Table entries and activations are rounded to 14 bits or better: see docs/kernels.md for where the promised
// bound comes from.
double CheckSignNear(Target target) {
  ThreadPool pool(1);
  Rng rng(1);
  double worst = 0;
  for (const SignCase& c : kSignCases) {
    const SignMatrix signs = SignMatrix::Random(c.rows, c.cols, rng);
    const Matrix x = Activations(c.tokens, c.cols, rng);
    Matrix y(c.tokens, c.rows);
    SignProduct(PackedSigns(signs, target), x, y, pool, Precision::kNear);
    std::vector<double> norms;
    for (size_t t = 0; t < c.tokens; ++t) norms.push_back(Norm(x.Row(t)));
    worst = Worse(RelativeRms(y, reference::SignProduct(signs, x), norms), worst);
  }
  return worst;
}

// A float32 sum of n terms is off by at most n * 2^-24 * sum |x|: the error is given as a part of that.
double CheckSignExact(Target target) {
  ThreadPool pool(1);
  Rng rng(2);
  double worst = 0;
  for (const SignCase& c : kSignCases) {
    const SignMatrix signs = SignMatrix::Random(c.rows, c.cols, rng);
    const Matrix x = Activations(c.tokens, c.cols, rng);
    Matrix y(c.tokens, c.rows);
    SignProduct(PackedSigns(signs, target), x, y, pool, Precision::kExact);
    const DoubleMatrix exact = reference::SignProduct(signs, x);
    for (size_t t = 0; t < c.tokens; ++t) {
      const double bound = static_cast<double>(c.cols) * kFloatRounding * SumOfMagnitudes(x.Row(t));
      for (size_t r = 0; r < c.rows; ++r) worst = Worse(std::abs(y(t, r) - exact(t, r)) / bound, worst);
    }
  }
  return worst;
}

double CheckFactors(Target target) {
  ThreadPool pool(1);
  WeightMemory memory;
  Rng rng(3);
  double worst = 0;
  for (const SignCase& c : kSignCases) {
    const size_t rank = (c.rows + c.cols) / 2;
    const FactoredWeight weight = {SignMatrix::Random(c.rows, rank, rng),
                                   SignMatrix::Random(rank, c.cols, rng), NormalVector(c.rows, rng),
                                   NormalVector(rank, rng), NormalVector(c.cols, rng)};
    const Matrix x = Activations(c.tokens, c.cols, rng);
    Matrix y(c.tokens, c.rows);
    PackedFactors(weight, memory, target).Apply(x, y, pool);
    std::vector<double> norms;
    for (size_t t = 0; t < c.tokens; ++t) {
      std::vector<float> scaled(x.Row(t).begin(), x.Row(t).end());
      for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= weight.b[i];
      norms.push_back(Norm(scaled) * Norm(weight.mid) * Norm(weight.a) /
                      std::sqrt(static_cast<double>(c.rows)));
    }
    worst = Worse(RelativeRms(y, reference::Apply(weight, x), norms), worst);
  }
  return worst;
}

// What rounding x to whole numbers of 14 bits, each 32 columns by their largest, may do to w . x.
double LargestRoundingEffect(std::span<const float> w, std::span<const float> x) {
  double effect = 0;
  for (size_t first = 0; first < x.size(); first += 32) {
    double largest = 0, weights = 0;
    for (size_t c = first; c < std::min(first + 32, x.size()); ++c) {
      largest = std::max(largest, std::abs(static_cast<double>(x[c])));
      weights += std::abs(w[c]);
    }
    effect += weights * largest / 8127 / 2;
  }
  return effect;
}

// The error as a part of (cols / 4 + 8) * 2^-24 * sum |w x|, and for kNear of what rounding may do.
double CheckDense(Target target, DType type, Precision precision) {
  ForceTarget(Name(target));
  ThreadPool pool(1);
  Rng rng(4);
  double worst = 0;
  for (const size_t cols : {32, 64, 96, 576, 1, 7, 65, 399}) {
    if (cols % Info(type).block_elements != 0) continue;
    for (const size_t tokens : {1, 3, 4, 9}) {
      const size_t rows = 21;
      Matrix w(rows, cols);
      FillNormal(w.values(), rng);
      std::vector<std::byte> bytes(BytesOf(type, w.size()));
      Quantize(type, w.values(), bytes);
      const Matrix x = Activations(tokens, cols, rng);
      Matrix y(tokens, rows);
      const StoredRows stored = {type, rows, cols, bytes};
      DenseProductFew(stored, x, y, pool, precision);
      const DoubleMatrix exact = reference::DenseProduct(stored, x);
      Dequantize(type, bytes, w.values());
      for (size_t t = 0; t < tokens; ++t) {
        for (size_t r = 0; r < rows; ++r) {
          double magnitudes = 0;
          for (size_t c = 0; c < cols; ++c) magnitudes += std::abs(static_cast<double>(w(r, c)) * x(t, c));
          double bound = (static_cast<double>(cols) / 4 + 8) * kFloatRounding * magnitudes;
          if (precision == Precision::kNear) bound += LargestRoundingEffect(w.Row(r), x.Row(t));
          worst = Worse(std::abs(y(t, r) - exact(t, r)) / bound, worst);
        }
      }
    }
  }
  return worst;
}

// Calls check(n) for lengths around one vector and the unrolled loops.
double WorstOverLengths(Target target, const std::function<double(size_t)>& check) {
  ForceTarget(Name(target));
  double worst = 0;
  for (const size_t n : {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 65, 300}) worst = Worse(check(n), worst);
  return worst;
}

double CheckRmsNorm(Target target) {
  Rng rng(5);
  return WorstOverLengths(target, [&](size_t n) {
    const std::vector<float> x = NormalVector(n, rng), gain = NormalVector(n, rng);
    std::vector<float> y(n);
    RmsNorm(x, gain, 1e-5f, y);
    return LargestError(y, reference::RmsNorm(x, gain, 1e-5f));
  });
}

double CheckSoftmax(Target target) {
  Rng rng(6);
  return WorstOverLengths(target, [&](size_t n) {
    std::vector<float> values = NormalVector(n, rng);
    for (float& v : values) v *= 10;
    const Doubles exact = reference::Softmax(values);
    Softmax(values);
    return LargestError(values, exact);
  });
}

double CheckGates(Target target) {
  Rng rng(7);
  return WorstOverLengths(target, [&](size_t n) {
    std::vector<float> gate = NormalVector(n, rng), up = NormalVector(n, rng), y(n);
    for (float& g : gate) g *= 5;
    gate[0] = -200;  // exp overflows there
    SiluGate(gate, up, y);
    const double silu = LargestError(y, reference::SiluGate(gate, up));
    GeluTanhGate(gate, up, y);
    const double gelu = LargestError(y, reference::GeluTanhGate(gate, up));
    const Doubles capped = reference::Softcap(3, gate);
    Softcap(3, gate);
    return Worse(Worse(silu, gelu), LargestError(gate, capped));
  });
}

double CheckRope(Target target) {
  Rng rng(8);
  return WorstOverLengths(target, [&](size_t n) {
    std::vector<float> head = NormalVector(2 * n, rng), cosines(n), sines(n);
    for (size_t i = 0; i < n; ++i) {
      const double angle = static_cast<double>(i) * 0.7;
      cosines[i] = static_cast<float>(std::cos(angle));
      sines[i] = static_cast<float>(std::sin(angle));
    }
    const Doubles exact = reference::Rope(head, cosines, sines);
    Rope(head, cosines, sines);
    return LargestError(head, exact);
  });
}

// Dot as a part of n * 2^-24 * sum |a b|; axpy and scale exact to one rounding each.
double CheckDot(Target target) {
  Rng rng(9);
  return WorstOverLengths(target, [&](size_t n) {
    const std::vector<float> a = NormalVector(n, rng), b = NormalVector(n, rng);
    double dot = 0, magnitudes = 0;
    for (size_t i = 0; i < n; ++i) {
      dot += static_cast<double>(a[i]) * b[i];
      magnitudes += std::abs(static_cast<double>(a[i]) * b[i]);
    }
    return std::abs(Dot(a, b) - dot) / (static_cast<double>(n) * kFloatRounding * magnitudes);
  });
}

double CheckAxpy(Target target) {
  Rng rng(10);
  return WorstOverLengths(target, [&](size_t n) {
    const std::vector<float> x = NormalVector(n, rng);
    std::vector<float> y = NormalVector(n, rng);
    Doubles exact(n);
    for (size_t i = 0; i < n; ++i) exact[i] = (y[i] + 1.5 * x[i]) * 0.75;
    Axpy(1.5f, x, y);
    Scale(0.75f, y);
    return LargestError(y, exact);
  });
}

// About normal ones, of which an element of a cache holds one or a block.
void FillCache(std::span<float> cache, Rng& rng) {
  FillNormal(cache, rng);
}
void FillCache(std::span<uint16_t> cache, Rng& rng) {
  for (uint16_t& value : cache) value = FloatToHalf(rng.Normal());
}
void FillCache(std::span<ggml::BlockQ8_0> cache, Rng& rng) {
  for (ggml::BlockQ8_0& block : cache) {
    block.d = FloatToHalf(static_cast<float>(0.01 + 0.01 * rng.Uniform()));
    for (int8_t& q : block.q) q = static_cast<int8_t>(rng.Below(255));
  }
}

template <typename T>
constexpr size_t kElementsOf = 1;
template <>
constexpr size_t kElementsOf<ggml::BlockQ8_0> = ggml::BlockQ8_0::kElements;

template <typename T>
double CheckAttention(Target target) {
  struct Case {
    size_t head_dim, heads, first, tokens, window;
    float softcap;
  };
  // One token; a prompt; a prompt behind a cache; windows shorter and longer than a tile of the cache; query
  // rows as many as are multiplied together, some more, and as many as still count as few.
  constexpr std::array kCases = {
      Case{64, 3, 0, 1, 0, 0},   Case{64, 3, 200, 1, 0, 0},  Case{96, 4, 100, 1, 0, 0},
      Case{40, 7, 70, 1, 30, 0}, Case{32, 2, 130, 4, 0, 2},  Case{64, 3, 0, 70, 0, 0},
      Case{8, 2, 5, 33, 0, 0},   Case{80, 1, 130, 9, 0, 50}, Case{16, 2, 100, 40, 17, 0},
      Case{5, 1, 64, 1, 100, 2}, Case{96, 2, 100, 40, 17, 2}};
  ForceTarget(Name(target));
  Rng rng(11);
  double worst = 0;
  for (const Case& c : kCases) {
    if (c.head_dim % kElementsOf<T> != 0) continue;
    const size_t positions = c.first + c.tokens, stride = c.head_dim / kElementsOf<T> + 3;
    std::vector<T> keys(positions * stride), values(positions * stride);
    FillCache(std::span<T>(keys), rng);
    FillCache(std::span<T>(values), rng);
    Matrix queries(c.tokens, c.heads * c.head_dim), out(c.tokens, c.heads * c.head_dim);
    FillNormal(queries.values(), rng);
    const KvHead<T> cache = {keys.data(), values.data(), stride, c.head_dim};
    const AttentionOptions options = {0.3f, c.softcap, c.window};
    Attention(cache, queries, c.first, options, out);
    worst = Worse(LargestError(out.values(), reference::Attention(cache, queries, c.first, options).values),
                  worst);
  }
  return worst;
}

struct Check {
  const char* kernel;
  double bound;
  double (*worst_error)(Target);
};

template <DType kType, Precision kPrecision>
double CheckDenseType(Target target) {
  return CheckDense(target, kType, kPrecision);
}

constexpr std::array kChecks = {
    Check{"sign product, near", 5e-4, CheckSignNear},
    Check{"sign product, exact", 1, CheckSignExact},
    Check{"factored weight", 7.1e-4, CheckFactors},  // two products: sqrt(2) times the bound of one
    Check{"dense product, f32", 1, CheckDenseType<DType::kF32, Precision::kExact>},
    Check{"dense product, f16", 1, CheckDenseType<DType::kF16, Precision::kExact>},
    Check{"dense product, bf16", 1, CheckDenseType<DType::kBF16, Precision::kExact>},
    Check{"dense product, q8_0", 1, CheckDenseType<DType::kQ8_0, Precision::kExact>},
    Check{"dense product, q5_1", 1, CheckDenseType<DType::kQ5_1, Precision::kExact>},
    Check{"dense product, q5_0", 1, CheckDenseType<DType::kQ5_0, Precision::kExact>},
    Check{"dense product, q4_1", 1, CheckDenseType<DType::kQ4_1, Precision::kExact>},
    Check{"dense product, q4_0", 1, CheckDenseType<DType::kQ4_0, Precision::kExact>},
    Check{"dense product, q8_0, near", 1, CheckDenseType<DType::kQ8_0, Precision::kNear>},
    Check{"dense product, q5_1, near", 1, CheckDenseType<DType::kQ5_1, Precision::kNear>},
    Check{"dense product, q5_0, near", 1, CheckDenseType<DType::kQ5_0, Precision::kNear>},
    Check{"dense product, q4_1, near", 1, CheckDenseType<DType::kQ4_1, Precision::kNear>},
    Check{"dense product, q4_0, near", 1, CheckDenseType<DType::kQ4_0, Precision::kNear>},
    Check{"rms norm", 1e-6, CheckRmsNorm},
    Check{"softmax", 2e-6, CheckSoftmax},
    Check{"gates and softcap", 2e-6, CheckGates},
    Check{"rope", 2e-7, CheckRope},
    Check{"dot", 1, CheckDot},
    Check{"axpy and scale", 2e-7, CheckAxpy},
    Check{"attention, f16 cache", 4e-6, CheckAttention<uint16_t>},
    Check{"attention, f32 cache", 4e-6, CheckAttention<float>},
    Check{"attention, q8_0 cache", 4e-6, CheckAttention<ggml::BlockQ8_0>},
};

}  // namespace

std::vector<SelftestResult> RunSelftest() {
  const Target before = CurrentTarget();
  std::vector<SelftestResult> results;
  for (const Check& check : kChecks) {
    for (const Target target : RunnableTargets()) {
      const double error = check.worst_error(target);
      results.push_back({check.kernel, target, error, check.bound, error <= check.bound});
    }
  }
  ForceTarget(Name(before));
  return results;
}

}  // namespace addend
