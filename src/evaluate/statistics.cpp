#include "evaluate/statistics.h"

#include <algorithm>

namespace addend {

// For one and two degrees of freedom exact; else the expansion 26.7.5 of Abramowitz and Stegun, Handbook of
// Mathematical Functions, which is off by 0.12 % at three degrees and by less at more.
double StudentQuantile95(size_t degrees) {
  if (degrees <= 1) return 12.706204736;
  if (degrees == 2) return 4.302652730;
  const double x = 1.959963985;  // of the normal distribution
  const double x2 = x * x, n = static_cast<double>(degrees);
  const double g1 = x * (x2 + 1) / 4;
  const double g2 = x * ((5 * x2 + 16) * x2 + 3) / 96;
  const double g3 = x * (((3 * x2 + 19) * x2 + 17) * x2 - 15) / 384;
  const double g4 = x * ((((79 * x2 + 776) * x2 + 1482) * x2 - 1920) * x2 - 945) / 92160;
  return x + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n;
}

double Quantile(std::span<float> values, double share) {
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = values.begin() + static_cast<ptrdiff_t>(place);
  std::ranges::nth_element(values, below);
  const double low = *below, part = place - std::floor(place);
  if (part == 0) return low;
  const double high = *std::min_element(below + 1, values.end());
  return low + part * (high - low);
}

}  // namespace addend
