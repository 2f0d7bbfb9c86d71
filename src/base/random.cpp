#include "base/random.h"

#include <bit>
#include <cmath>

#include "base/hash.h"

namespace addend {
namespace {

__extension__ using Wide = unsigned __int128;

uint64_t SplitMix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(seed);
}

Rng::Rng(uint64_t seed, std::string_view name) : Rng(seed ^ Hash64(name)) {}

uint64_t Rng::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Rng::Below(uint64_t bound) {
  // Multiply-shift; the bias is below bound / 2^64.
  return static_cast<uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
}

double Rng::Uniform() {
  return static_cast<double>(Next() >> 11) * 0x1p-53;
}

float Rng::Normal() {
  if (has_spare_) {
    has_spare_ = false;
    return static_cast<float>(spare_);
  }
  double u, v, s;  // Marsaglia's polar method
  do {
    u = 2 * Uniform() - 1;
    v = 2 * Uniform() - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  const double factor = std::sqrt(-2 * std::log(s) / s);
  spare_ = v * factor;
  has_spare_ = true;
  return static_cast<float>(u * factor);
}

}  // namespace addend
