#include "report/axis.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace addend {
namespace {

Extent Widened(Extent values, bool logarithmic) {
  if (values.to > values.from) return values;
  if (logarithmic) return {values.from / 2, values.from * 2};
  const double half = values.from == 0 ? 1 : std::abs(values.from) / 2;
  return {values.from - half, values.from + half};
}

// 1, 2 or 5 times a power of ten, so that at most `most` of them fit into the length.
double RoundStep(double length, size_t most) {
  const double least = length / static_cast<double>(most);
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1, 2, 5}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::vector<Tick> EvenTicks(Extent values, size_t most) {
  const double step = RoundStep(values.to - values.from, most);
  std::vector<Tick> ticks;
  // Multiples by index: sums of steps would not meet 0, nor end.
  const double first = std::ceil(values.from / step - 1e-9);
  for (double i = 0; (first + i) * step <= values.to + 1e-9 * step && i <= static_cast<double>(most); ++i) {
    ticks.push_back({(first + i) * step, NumberText((first + i) * step)});
  }
  return ticks;
}

// 1, 2 and 5 in each power of ten, or the powers alone where that is too much.
std::vector<Tick> LogarithmicTicks(Extent values, size_t most) {
  const double decades = std::log10(values.to / values.from);
  const bool powers_only = 3 * decades > static_cast<double>(most);
  const double stride = std::max(1.0, std::ceil(decades / static_cast<double>(most)));
  std::vector<Tick> ticks;
  for (double power = std::floor(std::log10(values.from)); power <= std::log10(values.to); power += stride) {
    for (const double factor : {1, 2, 5}) {
      const double value = factor * std::pow(10, power);
      if (factor > 1 && powers_only) break;
      if (value >= values.from * (1 - 1e-9) && value <= values.to * (1 + 1e-9)) {
        ticks.push_back({value, NumberText(value)});
      }
    }
  }
  return ticks;
}

}  // namespace

Axis::Axis(Extent values, bool logarithmic, Extent pixels)
    : values_(Widened(values, logarithmic)), logarithmic_(logarithmic), pixels_(pixels) {}

double Axis::Pixel(double value) const {
  const double part = logarithmic_ ? std::log(value / values_.from) / std::log(values_.to / values_.from)
                                   : (value - values_.from) / (values_.to - values_.from);
  return pixels_.from + part * (pixels_.to - pixels_.from);
}

std::vector<Tick> Axis::Ticks(size_t most) const {
  if (logarithmic_) {
    std::vector<Tick> ticks = LogarithmicTicks(values_, most);
    if (ticks.size() >= 3) return ticks;
  }
  return EvenTicks(values_, most);
}

std::string NumberText(double value, int digits) {
  if (value == 0) return "0";  // not -0
  const double size = std::abs(value);
  if (size >= 1 && size < 1e9) digits = std::max(digits, 1 + static_cast<int>(std::log10(size)));
  return Format("%.*g", digits, value);
}

}  // namespace addend
