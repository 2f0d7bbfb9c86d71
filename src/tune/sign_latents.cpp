#include "tune/sign_latents.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace addend {
namespace {

constexpr float kUnits = 32767;  // of a latent of 1
constexpr float kSquaresMemory = 0.9f;
// Most that a row or column with small gradients is favoured.
constexpr float kMostFavour = 8;
constexpr size_t kWord = 64;

float Mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0f) / static_cast<float>(values.size());
}

void MoveTowards(std::span<float> running, std::span<const float> now) {
  for (size_t i = 0; i < running.size(); ++i) {
    running[i] = kSquaresMemory * running[i] + (1 - kSquaresMemory) * now[i];
  }
}

// One over the root mean square of a row's or column's gradients, times its favour; both relative to the
// matrix.
float StepFactor(float relative_square) {
  if (!(relative_square > 0)) return 0;
  const float inverse_root = 1 / std::sqrt(relative_square);
  return inverse_root * std::min(kMostFavour, std::sqrt(inverse_root));
}

}  // namespace

SignLatents::SignLatents(const SignMatrix& signs) : signs_(signs) {
  state_.latents.reserve(signs.rows() * signs.cols());
  for (size_t r = 0; r < signs.rows(); ++r) {
    for (size_t c = 0; c < signs.cols(); ++c) {
      state_.latents.push_back(static_cast<int16_t>(kUnits * signs.Sign(r, c)));
    }
  }
  state_.row_squares.resize(signs.rows());
  state_.col_squares.resize(signs.cols());
}

SignLatents::SignLatents(State state, size_t rows, size_t cols)
    : signs_(rows, cols), state_(std::move(state)) {
  if (state_.latents.size() != rows * cols || state_.row_squares.size() != rows ||
      state_.col_squares.size() != cols) {
    throw Error("latents of signs: ", state_.latents.size(), " of ", state_.row_squares.size(), " rows and ",
                state_.col_squares.size(), " columns, not [", rows, ", ", cols, "]");
  }
  for (size_t r = 0; r < rows; ++r) FollowLatents(r);
}

void SignLatents::UpdateSquares(ConstMatrixView gradient) {
  std::vector<float> rows(gradient.rows), cols(gradient.cols);
  for (size_t r = 0; r < gradient.rows; ++r) {
    const float* row = gradient.Row(r).data();
    float sum = 0;
    for (size_t c = 0; c < gradient.cols; ++c) {
      const float square = row[c] * row[c];
      cols[c] += square;
      sum += square;
    }
    rows[r] = sum / static_cast<float>(gradient.cols);
  }
  for (float& value : cols) value /= static_cast<float>(gradient.rows);
  MoveTowards(state_.row_squares, rows);
  MoveTowards(state_.col_squares, cols);
  ++state_.steps;
}

void SignLatents::FollowLatents(size_t row) {
  const size_t cols = signs_.cols();
  const int16_t* latents = state_.latents.data() + row * cols;
  const std::span<uint64_t> words = signs_.Row(row);
  for (size_t w = 0; w < words.size(); ++w) {
    const size_t count = std::min(kWord, cols - w * kWord);
    uint64_t word = 0;
    for (size_t i = 0; i < count; ++i) word |= uint64_t{latents[w * kWord + i] >= 0} << i;
    words[w] = word;
  }
}

size_t SignLatents::Step(ConstMatrixView gradient, float learning_rate) {
  const size_t rows = signs_.rows(), cols = signs_.cols();
  if (gradient.rows != rows || gradient.cols != cols) {
    throw Error("latents of signs: a gradient of [", gradient.rows, ", ", gradient.cols, "] for [", rows,
                ", ", cols, "]");
  }
  UpdateSquares(gradient);
  const float mean_square = Mean(state_.row_squares);
  if (!(mean_square > 0) || !std::isfinite(mean_square)) return 0;  // nothing to learn from
  // The mean square of entry (r, c) is row[r] col[c] / mean. Relative to the mean of the matrix each factor
  // enters by itself. The running means start at zero, which the correction undoes.
  const float correction = 1 - std::pow(kSquaresMemory, static_cast<float>(state_.steps));
  std::vector<float> col_factor(cols);
  std::ranges::transform(state_.col_squares, col_factor.begin(),
                         [&](float square) { return StepFactor(square / mean_square); });
  const float factor = -learning_rate * kUnits / std::sqrt(mean_square / correction);

  size_t flips = 0;
  for (size_t r = 0; r < rows; ++r) {
    const float row_factor = factor * StepFactor(state_.row_squares[r] / mean_square);
    const float* g = gradient.Row(r).data();
    int16_t* latents = state_.latents.data() + r * cols;
    for (size_t c = 0; c < cols; ++c) {
      const float moved = static_cast<float>(latents[c]) + row_factor * col_factor[c] * g[c];
      const float half_up = moved + (moved >= 0 ? 0.5f : -0.5f);  // the conversion below cuts towards zero
      latents[c] = static_cast<int16_t>(std::clamp(half_up, -kUnits, kUnits));
    }
    const std::span<uint64_t> words = signs_.Row(r);
    const std::vector<uint64_t> before(words.begin(), words.end());
    FollowLatents(r);
    for (size_t w = 0; w < words.size(); ++w)
      flips += static_cast<size_t>(std::popcount(before[w] ^ words[w]));
  }
  return flips;
}

}  // namespace addend
