// Means of many values with their errors, in one pass; and quantiles.
#pragma once
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

namespace addend {

struct Interval {
  double low = 0, high = 0;
};

// Student's t with so many degrees of freedom (at least 1) stays between minus this and this with probability
// 0.95.
double StudentQuantile95(size_t degrees);

// `share` (0 to 1) of the values are below it: 0.5 is the median. Between two values by linear interpolation,
// as numpy does it. Reorders the values, of which there must be one.
double Quantile(std::span<float> values, double share);

// By Welford's method, which does not cancel.
class RunningMean {
 public:
  void Add(double value) {
    const double delta = value - mean_;
    mean_ += delta / static_cast<double>(++count_);
    squares_ += delta * (value - mean_);
  }
  size_t count() const { return count_; }
  double mean() const { return mean_; }  // 0 when empty
  // Of the mean, taking the values as independent: sqrt(sample variance / count); 0 for fewer than two.
  double standard_error() const {
    if (count_ < 2) return 0;
    return std::sqrt(squares_ / static_cast<double>(count_ - 1) / static_cast<double>(count_));
  }
  // In which the true mean lies with probability 0.95 when the values are independent and about normal; none
  // for fewer than two.
  std::optional<Interval> interval() const {
    if (count_ < 2) return std::nullopt;
    const double reach = StudentQuantile95(count_ - 1) * standard_error();
    return Interval{mean_ - reach, mean_ + reach};
  }

 private:
  size_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

// The mean over the predictions of windows of equal size. Predictions within a window depend on each other
// (an easy text is easy throughout), so beside the standard error that takes them as independent there is one
// from the spread between windows: the more honest one once there are some tens of windows.
class WindowedMean {
 public:
  explicit WindowedMean(size_t values_per_window) : values_per_window_(values_per_window) {}

  void Add(double value) {
    all_.Add(value);
    window_.Add(value);
    if (window_.count() < values_per_window_) return;
    windows_.Add(window_.mean());
    window_ = {};
  }
  size_t count() const { return all_.count(); }
  double mean() const { return all_.mean(); }
  double standard_error() const { return all_.standard_error(); }
  double window_standard_error() const { return windows_.standard_error(); }
  std::optional<Interval> interval() const { return windows_.interval(); }  // of the means of windows

 private:
  size_t values_per_window_;
  RunningMean all_, windows_, window_;
};

}  // namespace addend
