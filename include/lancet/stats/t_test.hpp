// SPDX-License-Identifier: Apache-2.0
// Student's t: paired, Welch's and the pooled two-sample test, with intervals; Cohen's d.
#pragma once

#include <cmath>
#include <limits>
#include <span>

#include "lancet/stats/alternative.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

struct t_test_result {
  double t;
  double degrees_of_freedom;
  double p;
  double difference;  ///< mean(x - y), or mean(x) - mean(y)
  double low, high;   ///< interval of the difference; a one-sided alternative leaves one end infinite
};

struct t_test_options {
  alternative claim = alternative::two_sided;
  double confidence = 0.95;
};

namespace detail {

/// A standard error of 0 (all values equal) leaves no doubt about a difference and no evidence about none:
/// then t is
/// +-infinity, or 0 with p = 1 (one-sided too); the interval is the difference itself.
[[nodiscard]] inline t_test_result t_test(double difference, double error, double df,
                                          t_test_options options) {
  check_fraction("t_test_options.confidence", options.confidence);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (error == 0.0 && difference == 0.0) return {0.0, df, 1.0, 0.0, 0.0, 0.0};
  double const t = error > 0.0 ? difference / error : std::copysign(infinity, difference);
  t_test_result result{t, df, student_p(t, df, options.claim), difference, -infinity, infinity};

  bool const two_sided = options.claim == alternative::two_sided;
  double const outside = (1.0 - options.confidence) / (two_sided ? 2.0 : 1.0);
  double const reach = error * -student_quantile(outside, df);
  if (options.claim != alternative::less) result.low = difference - reach;
  if (options.claim != alternative::greater) result.high = difference + reach;
  return result;
}

}  // namespace detail

/// Is the mean of x - y zero? n - 1 degrees of freedom. Throws usage_error for lengths that differ, fewer
/// than two pairs, or a value that is not finite.
[[nodiscard]] inline t_test_result paired_t_test(std::span<double const> x, std::span<double const> y,
                                                 t_test_options options = {}) {
  detail::check_pairs("paired_t_test", x, y, 2);
  auto const d = detail::differences(x, y);
  auto const n = static_cast<double>(d.size());
  return detail::t_test(sample_mean(d), std::sqrt(sample_variance(d) / n), n - 1.0, options);
}

/// Have two independent samples one mean? Variances may differ: degrees of freedom by Welch and
/// Satterthwaite. Throws usage_error for fewer than two values in a sample or a value that is not finite.
[[nodiscard]] inline t_test_result welch_t_test(std::span<double const> x, std::span<double const> y,
                                                t_test_options options = {}) {
  detail::check_sample("welch_t_test: x", x, 2);
  detail::check_sample("welch_t_test: y", y, 2);
  auto const nx = static_cast<double>(x.size());
  auto const ny = static_cast<double>(y.size());
  double const vx = sample_variance(x) / nx;
  double const vy = sample_variance(y) / ny;
  double const v = vx + vy;
  // Written with shares of v: squares of tiny variances would vanish.
  double const df =
      v > 0.0 ? 1.0 / ((vx / v) * (vx / v) / (nx - 1.0) + (vy / v) * (vy / v) / (ny - 1.0)) : nx + ny - 2.0;
  return detail::t_test(sample_mean(x) - sample_mean(y), std::sqrt(v), df, options);
}

namespace detail {

[[nodiscard]] inline double pooled_variance(std::span<double const> x, std::span<double const> y) {
  auto const nx = static_cast<double>(x.size());
  auto const ny = static_cast<double>(y.size());
  return ((nx - 1.0) * sample_variance(x) + (ny - 1.0) * sample_variance(y)) / (nx + ny - 2.0);
}

}  // namespace detail

/// Have two independent samples of equal variance one mean? Throws as welch_t_test.
[[nodiscard]] inline t_test_result student_t_test(std::span<double const> x, std::span<double const> y,
                                                  t_test_options options = {}) {
  detail::check_sample("student_t_test: x", x, 2);
  detail::check_sample("student_t_test: y", y, 2);
  auto const nx = static_cast<double>(x.size());
  auto const ny = static_cast<double>(y.size());
  double const error = std::sqrt(detail::pooled_variance(x, y) * (1.0 / nx + 1.0 / ny));
  return detail::t_test(sample_mean(x) - sample_mean(y), error, nx + ny - 2.0, options);
}

/// Size of a paired effect: mean(x - y) / standard deviation of x - y (Cohen's d_z). Differences that are all
/// equal give 0 or +-infinity. Throws as paired_t_test.
[[nodiscard]] inline double cohen_d_paired(std::span<double const> x, std::span<double const> y) {
  detail::check_pairs("cohen_d_paired", x, y, 2);
  auto const d = detail::differences(x, y);
  double const mean = sample_mean(d);
  return mean == 0.0 ? 0.0 : mean / std::sqrt(sample_variance(d));
}

/// Size of the difference of two independent samples: (mean(x) - mean(y)) / pooled standard deviation. Throws
/// as welch_t_test.
[[nodiscard]] inline double cohen_d(std::span<double const> x, std::span<double const> y) {
  detail::check_sample("cohen_d: x", x, 2);
  detail::check_sample("cohen_d: y", y, 2);
  double const difference = sample_mean(x) - sample_mean(y);
  return difference == 0.0 ? 0.0 : difference / std::sqrt(detail::pooled_variance(x, y));
}

}  // namespace lancet
