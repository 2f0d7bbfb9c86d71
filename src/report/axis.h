// From values to places on a chart, and where the marks of an axis stand.
#pragma once
#include <string>
#include <vector>

namespace addend {

struct Extent {
  double from = 0, to = 0;
};

struct Tick {
  double value = 0;
  std::string label;
};

class Axis {
 public:
  // Shows `values` (from <= to, finite; positive when logarithmic) over `pixels`, which may run either way. A
  // span of one value is widened.
  Axis(Extent values, bool logarithmic, Extent pixels);

  bool logarithmic() const { return logarithmic_; }
  Extent values() const { return values_; }
  Extent pixels() const { return pixels_; }
  double Pixel(double value) const;
  // Round numbers within the values, at most `most` or so, in order.
  std::vector<Tick> Ticks(size_t most) const;

 private:
  Extent values_;
  bool logarithmic_;
  Extent pixels_;
};

// With so many significant digits, and all of those before the point: "0.25", "12345", "1e-05".
std::string NumberText(double value, int digits = 3);

}  // namespace addend
