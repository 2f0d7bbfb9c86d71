#include "kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "tensor/half.h"

namespace addend::reference {
namespace {

double Element(const float* row, size_t i) {
  return row[i];
}
double Element(const uint16_t* row, size_t i) {
  return HalfToFloat(row[i]);
}
double Element(const ggml::BlockQ8_0* row, size_t i) {
  const ggml::BlockQ8_0& block = row[i / ggml::BlockQ8_0::kElements];
  return double(HalfToFloat(block.d)) * block.q[i % ggml::BlockQ8_0::kElements];
}

DoubleMatrix ToDouble(ConstMatrixView m) {
  DoubleMatrix result(m.rows, m.cols);
  for (size_t r = 0; r < m.rows; ++r) {
    for (size_t c = 0; c < m.cols; ++c) result(r, c) = m(r, c);
  }
  return result;
}

DoubleMatrix SignProduct(const SignMatrix& signs, const DoubleMatrix& x) {
  DoubleMatrix y(x.rows, signs.rows());
  for (size_t t = 0; t < x.rows; ++t) {
    for (size_t r = 0; r < signs.rows(); ++r) {
      for (size_t c = 0; c < signs.cols(); ++c) y(t, r) += signs.IsPlus(r, c) ? x(t, c) : -x(t, c);
    }
  }
  return y;
}

void ScaleColumns(const std::vector<float>& scales, DoubleMatrix& m) {
  for (size_t r = 0; r < m.rows; ++r) {
    for (size_t c = 0; c < m.cols; ++c) m(r, c) *= scales[c];
  }
}

double Sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

DoubleMatrix SignProduct(const SignMatrix& signs, ConstMatrixView x) {
  return SignProduct(signs, ToDouble(x));
}

DoubleMatrix Apply(const FactoredWeight& weight, ConstMatrixView x) {
  DoubleMatrix scaled = ToDouble(x);
  ScaleColumns(weight.b, scaled);
  DoubleMatrix middle = SignProduct(weight.B, scaled);
  ScaleColumns(weight.mid, middle);
  DoubleMatrix y = SignProduct(weight.A, middle);
  ScaleColumns(weight.a, y);
  return y;
}

DoubleMatrix DenseProduct(const StoredRows& w, ConstMatrixView x) {
  DoubleMatrix y(x.rows, w.rows);
  std::vector<float> row(w.cols);
  for (size_t r = 0; r < w.rows; ++r) {
    const size_t row_bytes = BytesOf(w.type, w.cols);
    Dequantize(w.type, w.bytes.subspan(r * row_bytes, row_bytes), row);
    for (size_t t = 0; t < x.rows; ++t) {
      for (size_t c = 0; c < w.cols; ++c) y(t, r) += static_cast<double>(row[c]) * x(t, c);
    }
  }
  return y;
}

template <typename T>
DoubleMatrix Attention(const KvHead<T>& cache, ConstMatrixView queries, size_t first_position,
                       const AttentionOptions& options) {
  const size_t dim = cache.head_dim;
  DoubleMatrix out(queries.rows, queries.cols);
  for (size_t t = 0; t < queries.rows; ++t) {
    const size_t end = first_position + t + 1;
    const size_t begin = options.window > 0 && end > options.window ? end - options.window : 0;
    for (size_t head = 0; head < queries.cols; head += dim) {
      Doubles weights(end);
      for (size_t p = begin; p < end; ++p) {
        double score = 0;
        for (size_t d = 0; d < dim; ++d)
          score += queries(t, head + d) * Element(cache.keys + p * cache.stride, d);
        score *= options.scale;
        weights[p] = options.softcap > 0 ? options.softcap * std::tanh(score / options.softcap) : score;
      }
      const double largest =
          *std::max_element(weights.begin() + static_cast<ptrdiff_t>(begin), weights.end());
      double sum = 0;
      for (size_t p = begin; p < end; ++p) sum += weights[p] = std::exp(weights[p] - largest);
      for (size_t p = begin; p < end; ++p) {
        for (size_t d = 0; d < dim; ++d)
          out(t, head + d) += weights[p] / sum * Element(cache.values + p * cache.stride, d);
      }
    }
  }
  return out;
}

template DoubleMatrix Attention(const KvHead<float>&, ConstMatrixView, size_t, const AttentionOptions&);
template DoubleMatrix Attention(const KvHead<uint16_t>&, ConstMatrixView, size_t, const AttentionOptions&);
template DoubleMatrix Attention(const KvHead<ggml::BlockQ8_0>&, ConstMatrixView, size_t,
                                const AttentionOptions&);

Doubles RmsNorm(std::span<const float> x, std::span<const float> gain, float epsilon) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double norm = std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  Doubles y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / norm * gain[i];
  return y;
}

Doubles Softmax(std::span<const float> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  Doubles y(values.size());
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += y[i] = std::exp(values[i] - largest);
  for (double& v : y) v /= sum;
  return y;
}

Doubles SiluGate(std::span<const float> gate, std::span<const float> up) {
  Doubles y(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) y[i] = gate[i] * Sigmoid(gate[i]) * up[i];
  return y;
}

Doubles GeluTanhGate(std::span<const float> gate, std::span<const float> up) {
  Doubles y(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) {
    const double g = gate[i], inner = std::sqrt(2 / std::numbers::pi) * (g + 0.044715 * g * g * g);
    y[i] = g / 2 * (1 + std::tanh(inner)) * up[i];
  }
  return y;
}

Doubles Softcap(float cap, std::span<const float> values) {
  Doubles y(values.size());
  for (size_t i = 0; i < values.size(); ++i) y[i] = cap * std::tanh(static_cast<double>(values[i]) / cap);
  return y;
}

Doubles Rope(std::span<const float> head, std::span<const float> cosines, std::span<const float> sines) {
  const size_t half = cosines.size();
  Doubles y(head.size());
  for (size_t i = 0; i < half; ++i) {
    const double a = head[i], b = head[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
  return y;
}

}  // namespace addend::reference
