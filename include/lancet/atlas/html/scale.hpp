// SPDX-License-Identifier: Apache-2.0
// Axes: where a value lies in a picture, and the round numbers that are written beside it.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "lancet/atlas/html/number.hpp"

namespace lancet::html {

/// How an axis writes its numbers. A share is kept as 0.82 and written 82%.
enum class notation { number, share, signed_share, whole };

[[nodiscard]] inline std::string written(double x, notation style, int decimals = 1) {
  switch (style) {
    case notation::share:
      return percent(x, decimals);
    case notation::signed_share:
      return signed_number(100 * x, decimals) + "%";
    case notation::whole:
      return whole_number(x);
    case notation::number:
      break;
  }
  return short_number(x);
}

/// An axis over [low, high]; `title` names the quantity and its unit.
struct axis {
  std::string title;
  double low = 0;
  double high = 1;
  notation style = notation::number;
  bool logarithmic = false;  ///< needs low > 0
};

/// Maps an axis onto picture coordinates [from, to] (to < from for an axis that points up).
struct scale {
  axis of;
  double from = 0;
  double to = 1;

  [[nodiscard]] double operator()(double x) const {
    double const low = of.logarithmic ? std::log(of.low) : of.low;
    double const high = of.logarithmic ? std::log(of.high) : of.high;
    double const at = of.logarithmic ? std::log(std::max(x, of.low)) : x;
    return high > low ? from + (to - from) * (at - low) / (high - low) : (from + to) / 2;
  }
};

/// Extends [low, high] by `x`.
struct extent {
  double low = HUGE_VAL;
  double high = -HUGE_VAL;

  void add(double x) {
    if (!std::isfinite(x)) return;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  [[nodiscard]] bool empty() const { return low > high; }

  /// The same, a little wider, never of length zero; ends at 0 if it began there.
  [[nodiscard]] extent padded(double share = 0.06) const {
    if (empty()) return {0, 1};
    double const margin = high > low ? (high - low) * share : std::max(std::abs(high) * 0.1, 1e-6);
    return {low == 0 ? 0 : low - margin, high == 0 ? 0 : high + margin};
  }
};

/// Round values inside the axis: multiples of 1, 2 or 5 × 10ⁿ, or for logarithmic axes 1, 2, 5, 10, 20, …
[[nodiscard]] inline std::vector<double> ticks(axis const& a, int wanted = 5) {
  std::vector<double> out;
  double const span = a.high - a.low;
  if (!(span > 0) || !std::isfinite(span)) return {a.low};
  if (a.logarithmic) {
    bool const dense = a.high / a.low < 200;
    for (double power = std::pow(10, std::floor(std::log10(a.low))); power <= a.high; power *= 10) {
      for (double const m : {1.0, 2.0, 5.0}) {
        double const x = power * m;
        if (x >= a.low * 0.999 && x <= a.high * 1.001 && (dense || m == 1)) out.push_back(x);
      }
    }
    return out;
  }
  double const power = std::pow(10, std::floor(std::log10(span / wanted)));
  double step = power;
  for (double const m : {2.0, 5.0, 10.0}) {
    if (std::abs(span / (m * power) - wanted) < std::abs(span / step - wanted)) step = m * power;
  }
  if (a.style == notation::whole) step = std::max(1.0, std::round(step));
  double const first = std::ceil(a.low / step - 1e-9);
  for (double i = first; i * step <= a.high + step * 1e-9 && out.size() < 50; ++i) out.push_back(i * step);
  return out;
}

/// The decimals a run of ticks needs to be told apart, for shares as per cent.
[[nodiscard]] inline int tick_decimals(std::vector<double> const& at, notation style) {
  if (at.size() < 2) return 1;
  double const step = std::abs(at[1] - at[0]) * (style == notation::number ? 1 : 100);
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
}

/// A tick's text.
[[nodiscard]] inline std::string tick_text(double x, axis const& a, int decimals) {
  if (a.style != notation::number || a.logarithmic) return written(x, a.style, decimals);
  return std::abs(x) >= 1e6 || (x != 0 && std::abs(x) < 1e-4) ? short_number(x) : fixed(x, decimals);
}

}  // namespace lancet::html
