// SPDX-License-Identifier: Apache-2.0
// Descriptions of a sample: mean, variance, quantile, ranks; and the checks that every test makes of its
// input.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/core/error.hpp"

namespace lancet {
namespace detail {

/// Throws usage_error unless x has at least `least` values, all of them finite.
inline void check_sample(std::string_view where, std::span<double const> x, std::size_t least) {
  if (x.size() < least) {
    fail_expected(where, std::to_string(x.size()) + " values", "at least " + std::to_string(least));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) {
      fail_expected(where, std::to_string(x[i]) + " at index " + std::to_string(i), "finite values");
    }
  }
}

/// Throws usage_error unless x and y are samples of one length, at least `least`.
inline void check_pairs(std::string_view where, std::span<double const> x, std::span<double const> y,
                        std::size_t least) {
  if (x.size() != y.size()) {
    fail_expected(where, std::to_string(x.size()) + " and " + std::to_string(y.size()) + " values",
                  "pairs, as many x as y");
  }
  check_sample(where, x, least);
  check_sample(where, y, least);
}

/// Throws usage_error unless 0 < value < 1.
inline void check_fraction(std::string_view where, double value) {
  if (!(value > 0.0 && value < 1.0)) fail_expected(where, std::to_string(value), "a number between 0 and 1");
}

/// The mean of a sample known to be finite and not empty.
[[nodiscard]] inline double mean_of(std::span<double const> x) {
  double sum = 0.0;
  for (double const value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

[[nodiscard]] inline std::vector<double> differences(std::span<double const> x, std::span<double const> y) {
  std::vector<double> d(x.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = x[i] - y[i];
  return d;
}

/// The quantile of values that are sorted already; see sample_quantile.
[[nodiscard]] inline double sorted_quantile(std::span<double const> sorted, double probability) {
  double const place = probability * static_cast<double>(sorted.size() - 1);
  auto const below = std::min(static_cast<std::size_t>(place), sorted.size() - 1);
  auto const above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace detail

/// Arithmetic mean. Throws usage_error for an empty sample or a value that is not finite.
[[nodiscard]] inline double sample_mean(std::span<double const> x) {
  detail::check_sample("sample_mean", x, 1);
  return detail::mean_of(x);
}

/// Unbiased variance, with n - 1 below the sum of squares. Throws usage_error for fewer than two values.
[[nodiscard]] inline double sample_variance(std::span<double const> x) {
  detail::check_sample("sample_variance", x, 2);
  double const mean = detail::mean_of(x);
  double sum = 0.0;
  for (double const value : x) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(x.size() - 1);
}

/// The quantile at (n - 1) * probability of the sorted sample, linear between neighbours (type 7 of Hyndman
/// and Fan; numpy's default). Throws usage_error for an empty sample or a probability outside [0, 1].
[[nodiscard]] inline double sample_quantile(std::span<double const> x, double probability) {
  detail::check_sample("sample_quantile", x, 1);
  if (!(probability >= 0.0 && probability <= 1.0)) {
    fail_expected("sample_quantile", std::to_string(probability), "a probability in [0, 1]");
  }
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  return detail::sorted_quantile(sorted, probability);
}

struct ranking {
  std::vector<double> rank;       ///< of each value, 1 = smallest; equal values share their mean rank
  std::vector<std::size_t> ties;  ///< sizes of the groups of equal values, groups of one left out
};

/// O(n log n). Throws usage_error for a value that is not finite.
[[nodiscard]] inline ranking rank_sample(std::span<double const> x) {
  detail::check_sample("rank_sample", x, 0);
  std::vector<std::size_t> order(x.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return x[i] < x[j]; });

  ranking result{std::vector<double>(x.size()), {}};
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (std::size_t k = begin; k < end; ++k)
      result.rank[order[k]] = static_cast<double>(begin + 1 + end) / 2.0;
    if (end - begin > 1) result.ties.push_back(end - begin);
  }
  return result;
}

}  // namespace lancet
