#include "tensor/ggml_encode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "tensor/half.h"

namespace addend::ggml {
namespace {

constexpr size_t kValues = 32;

uint16_t ToHalf(float scale) {
  const uint16_t half = FloatToHalf(scale);
  if (!std::isfinite(HalfToFloat(half))) {
    throw Error("the scale ", scale, " of a block is too large for f16; bf16 and f32 can hold its values");
  }
  return half;
}

// 1 / scale; 0 for a block of zeros, and for values so small that the reciprocal overflows (their fp16 scale
// is 0 anyway).
float Reciprocal(float scale) {
  const float reciprocal = 1 / scale;
  return std::isfinite(reciprocal) ? reciprocal : 0;
}

float LargestByMagnitude(std::span<const float> values) {
  return *std::max_element(values.begin(), values.end(),
                           [](float x, float y) { return std::abs(x) < std::abs(y); });
}

// What a block stores, before the codes are packed: value = scale * code + minimum, where types without a
// minimum have -scale * levels / 2.
struct Codes {
  float scale = 0, minimum = 0;  // codes are made with these; a block stores them as fp16
  std::array<uint8_t, kValues> q{};
};

// A type's levels. What it does is ggml's quantize_row_*_ref for kReference, to the bit.
template <int kLevels, bool kHasMinimum>
class Quantizer {
 public:
  explicit Quantizer(std::span<const float> values) : values_(values) {}

  Codes Reference() const {
    Codes codes;
    if (kHasMinimum) {
      const auto [least, most] = std::ranges::minmax(values_);
      codes.scale = (most - least) / (kLevels - 1);
      codes.minimum = least;
    } else {
      // The value of largest magnitude gets code 0 exactly, whatever its sign.
      codes.scale = LargestByMagnitude(values_) / -kZero;
    }
    const float reciprocal = Reciprocal(codes.scale);
    for (size_t j = 0; j < kValues; ++j) {
      const float position = (values_[j] - codes.minimum) * reciprocal + (kZero + 0.5f);
      codes.q[j] = static_cast<uint8_t>(std::min(kLevels - 1, static_cast<int>(position)));
    }
    return codes;
  }

  // From the reference and from scales around it, each followed by least squares for the scale and minimum of
  // its codes. As ggml's make_qx_quants and make_qkx2_quants, but judged with what fp16 leaves of the scales.
  Codes Searched() {
    const Codes start = Reference();
    Consider(start);
    if (!Fits(start.scale) || !Fits(start.minimum)) return best_;
    constexpr float kFirst = 0.70f, kStep = 0.04f;
    constexpr int kSteps = 12;  // the last is 1.14: to leave room at the ends pays too, now and then
    for (int i = 0; i < kSteps; ++i) {
      const float factor = kFirst + kStep * static_cast<float>(i);
      if (kHasMinimum) {
        // Where the range gets shorter, one end or the other may stay, or neither.
        const float freed = (1 - factor) * start.scale * (kLevels - 1);
        for (const float share : {0.0f, 0.5f, 1.0f})
          Refine(Nearest(factor * start.scale, start.minimum + share * freed));
      } else {
        for (const float sign : {1.0f, -1.0f}) Refine(Nearest(sign * factor * start.scale, 0));
      }
    }
    return best_;
  }

 private:
  static constexpr int kZero = kHasMinimum ? 0 : kLevels / 2;  // the code of the value 0 (or of the minimum)
  static constexpr size_t kRefinements = 2;

  static bool Fits(float scale) { return std::isfinite(HalfToFloat(FloatToHalf(scale))); }

  Codes Nearest(float scale, float minimum) const {
    Codes codes{
        .scale = HalfToFloat(FloatToHalf(scale)), .minimum = HalfToFloat(FloatToHalf(minimum)), .q = {}};
    const float reciprocal = Reciprocal(codes.scale);
    for (size_t j = 0; j < kValues; ++j) {
      const float position = (values_[j] - codes.minimum) * reciprocal + (kZero + 0.5f);
      codes.q[j] = static_cast<uint8_t>(std::clamp(position, 0.0f, kLevels - 1.0f));
    }
    return codes;
  }

  void Refine(Codes codes) {
    Consider(codes);
    for (size_t i = 0; i < kRefinements; ++i) {
      codes = LeastSquares(codes);
      Consider(codes);
    }
  }

  // The best scale (and minimum) for these codes, then the nearest codes for them.
  Codes LeastSquares(const Codes& codes) const {
    float sum_q = 0, sum_qq = 0, sum_x = 0, sum_qx = 0;
    for (size_t j = 0; j < kValues; ++j) {
      const float q = static_cast<float>(codes.q[j] - kZero);
      sum_q += q;
      sum_qq += q * q;
      sum_x += values_[j];
      sum_qx += q * values_[j];
    }
    if (!kHasMinimum) return sum_qq > 0 ? Nearest(sum_qx / sum_qq, 0) : codes;
    const float determinant = kValues * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) return codes;  // one code for all
    const float scale = (kValues * sum_qx - sum_q * sum_x) / determinant;
    return Nearest(scale, (sum_x - scale * sum_q) / kValues);
  }

  void Consider(const Codes& codes) {
    const float scale = HalfToFloat(FloatToHalf(codes.scale)),
                minimum = HalfToFloat(FloatToHalf(codes.minimum));
    float error = 0;
    for (size_t j = 0; j < kValues; ++j) {
      const float difference = values_[j] - (scale * static_cast<float>(codes.q[j] - kZero) + minimum);
      error += difference * difference;
    }
    if (first_ || error < least_error_) {  // never true for a NaN
      best_ = codes;
      least_error_ = error;
    }
    first_ = false;
  }

  std::span<const float> values_;
  Codes best_;
  float least_error_ = 0;
  bool first_ = true;  // the reference, which counts even if it cannot be stored: then that is told
};

void Pack(const Codes& codes, uint8_t (&nibbles)[16]) {
  for (size_t j = 0; j < 16; ++j)
    nibbles[j] = static_cast<uint8_t>((codes.q[j] & 15) | (codes.q[j + 16] & 15) << 4);
}

void PackHighBits(const Codes& codes, uint8_t (&high)[4]) {
  std::ranges::fill(high, uint8_t{0});
  for (size_t j = 0; j < kValues; ++j) high[j / 8] |= static_cast<uint8_t>((codes.q[j] >> 4) << (j % 8));
}

template <int kLevels, bool kHasMinimum, typename Block>
void EncodeBlock(std::span<const float> values, Rounding rounding, Block& block) {
  Quantizer<kLevels, kHasMinimum> quantizer(values);
  const Codes codes = rounding == Rounding::kReference ? quantizer.Reference() : quantizer.Searched();
  block.d = ToHalf(codes.scale);
  if constexpr (kHasMinimum) block.min = ToHalf(codes.minimum);
  Pack(codes, block.q);
  if constexpr (kLevels > 16) PackHighBits(codes, block.high);
}

}  // namespace

void Encode(std::span<const float> values, Rounding rounding, BlockQ4_0& block) {
  EncodeBlock<16, false>(values, rounding, block);
}

void Encode(std::span<const float> values, Rounding rounding, BlockQ4_1& block) {
  EncodeBlock<16, true>(values, rounding, block);
}

void Encode(std::span<const float> values, Rounding rounding, BlockQ5_0& block) {
  EncodeBlock<32, false>(values, rounding, block);
}

void Encode(std::span<const float> values, Rounding rounding, BlockQ5_1& block) {
  EncodeBlock<32, true>(values, rounding, block);
}

void Encode(std::span<const float> values, Rounding, BlockQ8_0& block) {
  const float d = std::abs(LargestByMagnitude(values)) / 127;
  const float reciprocal = Reciprocal(d);
  block.d = ToHalf(d);
  for (size_t j = 0; j < values.size(); ++j)
    block.q[j] = static_cast<int8_t>(std::round(values[j] * reciprocal));
}

}  // namespace addend::ggml
