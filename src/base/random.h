// Seeded random numbers, the same on every machine (std::normal_distribution is not).
#pragma once
#include <cstdint>
#include <string_view>

namespace addend {

// xoshiro256** seeded by splitmix64.
class Rng {
 public:
  explicit Rng(uint64_t seed);
  // An independent stream for `name`, so that the result for one matrix does not depend on which were done
  // before it.
  Rng(uint64_t seed, std::string_view name);

  uint64_t Next();
  uint64_t Below(uint64_t bound);  // uniform in [0, bound), bound > 0
  double Uniform();                // [0, 1)
  float Normal();                  // mean 0, variance 1

 private:
  uint64_t state_[4];
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace addend
