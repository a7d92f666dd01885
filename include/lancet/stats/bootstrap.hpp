// SPDX-License-Identifier: Apache-2.0
// Bootstrap intervals: percentile, basic, and BCa of Efron, "Better Bootstrap Confidence Intervals" (1987).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/stats/alternative.hpp"
#include "lancet/stats/resamples.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

enum class interval_method {
  percentile,  ///< quantiles of the resampled statistic
  basic,       ///< those quantiles mirrored at the estimate
  bca,         ///< quantiles corrected for bias and for a variance that changes with the statistic
};

struct bootstrap_options {
  interval_method method = interval_method::bca;
  double confidence = 0.95;  ///< of the two-sided interval
};

struct bootstrap_interval {
  double estimate;        ///< the statistic of the sample itself
  double low, high;       ///< NaN for BCa when the estimate lies outside all resamples
  double confidence;      ///< as asked for
  double resample_mean;   ///< mean of the statistic over the resamples
  double standard_error;  ///< its standard deviation (n - 1)
  double bias;            ///< BCa's z0; 0 for the other methods
  double acceleration;    ///< BCa's a; 0 for the other methods
  std::ptrdiff_t resamples;
};

namespace detail {

/// z0 = Phi^-1((#{b < estimate} + #{b <= estimate}) / (2 R)) of sorted resampled statistics; infinite at the
/// ends.
[[nodiscard]] inline double bca_bias(std::span<double const> sorted, double estimate) {
  auto const below = std::lower_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  auto const up_to = std::upper_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  double const share = static_cast<double>(below + up_to) / (2.0 * static_cast<double>(sorted.size()));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (share == 0.0) return -infinity;
  return share == 1.0 ? infinity : normal_quantile(share);
}

/// a = sum u^3 / (6 (sum u^2)^1.5), u = mean(jackknife) - jackknife; 0 when leaving out a row changes
/// nothing.
[[nodiscard]] inline double bca_acceleration(std::span<double const> jackknife) {
  double const mean = detail::mean_of(jackknife);
  double squares = 0.0;
  double cubes = 0.0;
  for (double const value : jackknife) {
    double const u = mean - value;
    squares += u * u;
    cubes += u * u * u;
  }
  return squares > 0.0 ? cubes / (6.0 * std::pow(squares, 1.5)) : 0.0;
}

/// A statistic as a number, or a usage_error that says for which rows it is none.
[[nodiscard]] inline double finite_statistic(double value, char const* of, std::size_t number) {
  if (!std::isfinite(value)) {
    fail_expected("bootstrap", std::to_string(value) + " for " + of + " " + std::to_string(number),
                  "a statistic that is finite for every resample");
  }
  return value;
}

}  // namespace detail

/// Interval of statistic(rows) over resampled rows of a data set of n rows, which may be anything: examples
/// with their scores before and after, clusters, templates. `statistic` maps a span of row indices to a
/// number; `source` is drawn_resamples or given_resamples. Calls the statistic once a resample and, for BCa,
/// n times with one row left out. Throws usage_error for n < 2, no resamples, or a statistic that is not
/// finite.
template <class Statistic, resample_source Source>
requires std::is_invocable_r_v<double, Statistic&, std::span<std::ptrdiff_t const>>
[[nodiscard]] bootstrap_interval bootstrap_rows(std::ptrdiff_t n, Statistic&& statistic, Source const& source,
                                                bootstrap_options options = {}) {
  detail::check_fraction("bootstrap_options.confidence", options.confidence);
  if (n < 2) fail_expected("bootstrap", std::to_string(n) + " rows", "at least 2");
  std::ptrdiff_t const count = source.resamples(n);
  if (count < 2) fail_expected("bootstrap", std::to_string(count) + " resamples", "at least 2");

  std::vector<std::ptrdiff_t> rows(static_cast<std::size_t>(n));
  auto const value = [&](std::vector<std::ptrdiff_t> const& chosen, char const* of, std::size_t number = 0) {
    return detail::finite_statistic(statistic(std::span(chosen)), of, number);
  };
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::ptrdiff_t>(i);
  double const estimate = value(rows, "sample");

  double bias = 0.0;
  double acceleration = 0.0;
  if (options.method == interval_method::bca) {
    std::vector<double> jackknife;
    std::vector<std::ptrdiff_t> others(rows.begin() + 1, rows.end());
    for (std::size_t left_out = 0; left_out < rows.size(); ++left_out) {
      jackknife.push_back(value(others, "the sample without row", left_out));
      if (left_out < others.size()) others[left_out] = static_cast<std::ptrdiff_t>(left_out);
    }
    acceleration = detail::bca_acceleration(jackknife);
  }

  std::vector<double> resampled;
  for (std::ptrdiff_t b = 0; b < count; ++b) {
    source.rows(b, rows);
    resampled.push_back(value(rows, "resample", static_cast<std::size_t>(b)));
  }
  double const mean = detail::mean_of(resampled);
  double const error = std::sqrt(sample_variance(resampled));
  std::sort(resampled.begin(), resampled.end());

  double lower = (1.0 - options.confidence) / 2.0;
  double upper = 1.0 - lower;
  if (options.method == interval_method::bca) {
    bias = detail::bca_bias(resampled, estimate);
    auto const corrected = [&](double probability) {
      double const z = bias + detail::normal_quantile(probability);
      return detail::normal_cdf(bias + z / (1.0 - acceleration * z));
    };
    if (std::isfinite(bias)) {
      lower = corrected(lower);
      upper = corrected(upper);
    }
  }
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  double low = std::isfinite(bias) ? detail::sorted_quantile(resampled, lower) : none;
  double high = std::isfinite(bias) ? detail::sorted_quantile(resampled, upper) : none;
  if (options.method == interval_method::basic) {
    double const mirrored = 2.0 * estimate - high;
    high = 2.0 * estimate - low;
    low = mirrored;
  }
  return {estimate, low, high, options.confidence, mean, error, bias, acceleration, count};
}

/// Interval of statistic(values) for one sample; `statistic` maps a span of values to a number. Throws as
/// bootstrap_rows, and for a value that is not finite.
template <class Statistic, resample_source Source>
requires std::is_invocable_r_v<double, Statistic&, std::span<double const>>
[[nodiscard]] bootstrap_interval bootstrap(std::span<double const> x, Statistic&& statistic,
                                           Source const& source, bootstrap_options options = {}) {
  detail::check_sample("bootstrap", x, 2);
  std::vector<double> chosen(x.size());
  auto const of_rows = [&](std::span<std::ptrdiff_t const> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) chosen[i] = x[static_cast<std::size_t>(rows[i])];
    return statistic(std::span<double const>(chosen).first(rows.size()));
  };
  return bootstrap_rows(static_cast<std::ptrdiff_t>(x.size()), of_rows, source, options);
}

/// Interval of statistic(x, y) for pairs, which stay together. Throws as bootstrap, and for lengths that
/// differ.
template <class Statistic, resample_source Source>
requires std::is_invocable_r_v<double, Statistic&, std::span<double const>, std::span<double const>>
[[nodiscard]] bootstrap_interval bootstrap_paired(std::span<double const> x, std::span<double const> y,
                                                  Statistic&& statistic, Source const& source,
                                                  bootstrap_options options = {}) {
  detail::check_pairs("bootstrap_paired", x, y, 2);
  std::vector<double> chosen_x(x.size());
  std::vector<double> chosen_y(y.size());
  auto const of_rows = [&](std::span<std::ptrdiff_t const> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      chosen_x[i] = x[static_cast<std::size_t>(rows[i])];
      chosen_y[i] = y[static_cast<std::size_t>(rows[i])];
    }
    return statistic(std::span<double const>(chosen_x).first(rows.size()),
                     std::span<double const>(chosen_y).first(rows.size()));
  };
  return bootstrap_rows(static_cast<std::ptrdiff_t>(x.size()), of_rows, source, options);
}

/// Interval of the mean.
template <resample_source Source>
[[nodiscard]] bootstrap_interval bootstrap_mean(std::span<double const> x, Source const& source,
                                                bootstrap_options options = {}) {
  return bootstrap(
      x, [](std::span<double const> chosen) { return detail::mean_of(chosen); }, source, options);
}

/// Interval of the relative reduction 1 - mean(after) / mean(before) of paired values, such as the rate of a
/// behaviour before and after an intervention: 1 = gone, 0 = unchanged, negative = more. Throws as
/// bootstrap_paired; where the values before sum to 0, in the sample or in a resample, the reduction is
/// undefined and that is an error too.
template <resample_source Source>
[[nodiscard]] bootstrap_interval bootstrap_relative_reduction(std::span<double const> before,
                                                              std::span<double const> after,
                                                              Source const& source,
                                                              bootstrap_options options = {}) {
  auto const reduction = [](std::span<double const> b, std::span<double const> a) {
    double const mean_before = detail::mean_of(b);
    if (mean_before == 0.0) {
      fail_expected("bootstrap_relative_reduction",
                    "values before that sum to 0 (in the sample or in a resample)",
                    "enough values other than 0 before the intervention");
    }
    return 1.0 - detail::mean_of(a) / mean_before;
  };
  return bootstrap_paired(before, after, reduction, source, options);
}

}  // namespace lancet
